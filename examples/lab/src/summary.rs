//! Medians and their like, from whole samples.

use clocks::Duration;

/// A sample, sorted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Summary(Vec<u64>);

impl Summary {
    pub(crate) fn of(values: impl IntoIterator<Item = u64>) -> Self {
        let mut values: Vec<_> = values.into_iter().collect();
        values.sort_unstable();
        Summary(values)
    }

    pub(crate) fn of_times(times: impl IntoIterator<Item = Duration>) -> Self {
        Summary::of(times.into_iter().map(Duration::as_micros))
    }

    /// The value below which `percent` of the sample lie; zero if it is empty.
    pub(crate) fn percentile(&self, percent: usize) -> u64 {
        let last = self.0.len().saturating_sub(1);
        self.0.get(last * percent / 100).copied().unwrap_or(0)
    }

    pub(crate) fn median(&self) -> u64 {
        self.percentile(50)
    }

    pub(crate) fn max(&self) -> u64 {
        self.percentile(100)
    }

    /// The mean, in hundredths.
    pub(crate) fn mean_hundredths(&self) -> u64 {
        let count = self.0.len().max(1) as u64;
        self.0.iter().sum::<u64>() * 100 / count
    }
}

/// Microseconds as milliseconds with one decimal.
pub(crate) fn ms(micros: u64) -> String {
    format!("{}.{}", micros / 1000, micros / 100 % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_a_sample() {
        let summary = Summary::of([5, 1, 4, 2, 3]);
        assert_eq!(
            (summary.percentile(0), summary.median(), summary.max()),
            (1, 3, 5)
        );
        assert_eq!(summary.mean_hundredths(), 300);
        assert_eq!(Summary::default().median(), 0);
        assert_eq!(ms(12_345), "12.3");
    }
}
