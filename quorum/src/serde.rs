//! `serde` for [`Member`], which not every byte is.

use serde::de::{Error, Unexpected};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Member;

impl Serialize for Member {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.0)
    }
}

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let index = u8::deserialize(deserializer)?;
        Member::new(usize::from(index)).ok_or_else(|| {
            D::Error::invalid_value(
                Unexpected::Unsigned(u64::from(index)),
                &"a member index below 64",
            )
        })
    }
}
