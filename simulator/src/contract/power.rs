//! What every medium of the tester counts: its operations, and which of them is struck.

use super::medium::{Failed, Fault};

/// The supply of a medium.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Power {
    operations: u64,
    strike: Option<(u64, Fault)>,
    is_out: bool,
}

impl Power {
    /// Begins an operation; says how it is struck.
    pub(super) fn begin(&mut self) -> Result<Option<Fault>, Failed> {
        if self.is_out {
            return Err(Failed);
        }
        let number = self.operations;
        self.operations += 1;
        let struck = self.strike.filter(|(at, _)| *at == number);
        let Some((_, fault)) = struck else {
            return Ok(None);
        };
        self.strike = None;
        self.is_out = fault == Fault::PowerCut;
        Ok(Some(fault))
    }

    pub(super) fn operations(&self) -> u64 {
        self.operations
    }

    pub(super) fn strike(&mut self, at: u64, fault: Fault) {
        self.strike = Some((at, fault));
    }

    pub(super) fn is_out(&self) -> bool {
        self.is_out
    }

    /// Power is back, and nothing is ordered to strike.
    pub(super) fn come_back(&mut self) {
        (self.is_out, self.strike) = (false, None);
    }
}
