//! `defmt` for [`MemberSet`], as bits: sixty-four digits say more than a number.

use crate::MemberSet;

impl defmt::Format for MemberSet {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{=u64:#b}", self.bits());
    }
}
