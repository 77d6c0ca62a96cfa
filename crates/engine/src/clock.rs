use mineseal_domain::UtcMicros;
use serde::{Deserialize, Serialize};

/// A camera of which nothing was heard for this long is offline, microseconds.
pub(crate) const OFFLINE_AFTER_MICROS: i64 = 60_000_000;

/// The newest time that the mine's frames have told: it only goes forward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MineClock {
    now: Option<UtcMicros>,
}

/// How the clock went on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Advance {
    pub(crate) now: UtcMicros,
    /// Nothing of the whole mine was heard for so long that its cameras' silence says nothing about them.
    pub(crate) after_gap: bool,
}

impl MineClock {
    /// None before the first frame.
    pub(crate) fn now(&self) -> Option<UtcMicros> {
        self.now
    }

    pub(crate) fn advance(&mut self, told: UtcMicros) -> Advance {
        let before = *self.now.get_or_insert(told);
        let now = before.max(told);
        self.now = Some(now);
        Advance {
            now,
            after_gap: now.micros_since(before) >= OFFLINE_AFTER_MICROS,
        }
    }

    /// The time without a new one; `told` only if it is the first.
    pub(crate) fn stay(&mut self, told: UtcMicros) -> Advance {
        Advance {
            now: *self.now.get_or_insert(told),
            after_gap: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_only_goes_forward_and_notices_gaps() {
        let mut clock = MineClock::default();
        let second = |second: i64| UtcMicros(second * 1_000_000);
        assert_eq!(
            clock.advance(second(100)),
            Advance {
                now: second(100),
                after_gap: false
            }
        );
        assert_eq!(
            clock.advance(second(90)),
            Advance {
                now: second(100),
                after_gap: false
            }
        );
        assert_eq!(
            clock.advance(second(159)),
            Advance {
                now: second(159),
                after_gap: false
            }
        );
        assert_eq!(
            clock.advance(second(219)),
            Advance {
                now: second(219),
                after_gap: true
            }
        );
        assert_eq!(clock.stay(second(900)).now, second(219));
    }
}
