//! When to look at a child whose end cannot be polled for: 1 ms after its start, then twice as long after each look in
//! vain, up to 20 ms. Where there are no such children, nobody wakes for them.

use std::time::{Duration, Instant};

const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub(super) struct Looks {
    at: Instant,
    interval: Duration,
}

impl Looks {
    pub(super) fn begin(now: Instant) -> Looks {
        Looks { at: now + SHORTEST, interval: SHORTEST }
    }

    /// The next one.
    pub(super) fn at(&self) -> Instant {
        self.at
    }

    /// Whether it is time; the next one is then later.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        if now < self.at {
            return false;
        }
        self.interval = (self.interval * 2).min(LONGEST);
        self.at = now + self.interval;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_between_two_looks_doubles_up_to_its_bound() {
        let mut now = Instant::now();
        let mut looks = Looks::begin(now);
        let mut times = Vec::new();
        for _ in 0..7 {
            let at = looks.at();
            times.push((at - now).as_millis());
            assert!(!looks.is_due(at - Duration::from_nanos(1)));
            assert!(looks.is_due(at));
            now = at;
        }
        assert_eq!(times, [1, 2, 4, 8, 16, 20, 20]);
    }
}
