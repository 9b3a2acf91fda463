//! A rate as a person writes it, `<count>/<seconds>s`. Enforcing it is `http::limits`.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

/// So many requests in so long a time; all of them may come at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    count: NonZeroU32,
    seconds: NonZeroU32,
}

impl Rate {
    /// How many.
    pub const fn count(self) -> NonZeroU32 {
        self.count
    }

    /// In how long.
    pub fn period(self) -> Duration {
        Duration::from_secs(u64::from(self.seconds.get()))
    }
}

impl FromStr for Rate {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const SHAPE: &str = "a rate is written <count>/<seconds>s, for example 20/60s, with counts \
                             up to 1000000 and up to 86400 seconds";
        let (count, seconds) = text.split_once('/').ok_or(SHAPE)?;
        let seconds = seconds.strip_suffix('s').ok_or(SHAPE)?;
        let number = |digits: &str, most: u32| {
            let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse::<NonZeroU32>().ok().filter(|value| plain && value.get() <= most)
        };
        Ok(Self {
            count: number(count, 1_000_000).ok_or(SHAPE)?,
            seconds: number(seconds, 86_400).ok_or(SHAPE)?,
        })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}s", self.count, self.seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_reads_as_it_is_written() {
        assert_eq!("20/60s".parse::<Rate>().unwrap().to_string(), "20/60s");
        for wrong in ["", "20", "20/60", "0/60s", "20/0s", "+2/60s", "2/ 6s", "1000001/1s"] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
        }
    }
}
