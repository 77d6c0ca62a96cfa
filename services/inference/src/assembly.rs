use std::time::{Duration, Instant};

/// Puts pictures of all cameras together into batches: a batch is due when it is full, or when its first picture has
/// waited long enough. It may grow until somebody takes it, up to its full size.
#[derive(Debug)]
pub(crate) struct Assembly<T> {
    size: usize,
    max_wait: Duration,
    pending: Vec<T>,
    due_at: Option<Instant>,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Take in a picture, however long it takes to come.
    Collect,
    /// Take in a picture, but wait no longer than until then.
    CollectUntil(Instant),
    /// Offer the batch, and take in more pictures until it is taken.
    OfferAndCollect,
    /// Offer the batch and nothing else.
    Offer,
}

impl<T> Assembly<T> {
    pub(crate) fn new(size: usize, max_wait: Duration) -> Self {
        Self {
            size: size.max(1),
            max_wait,
            pending: Vec::new(),
            due_at: None,
        }
    }

    pub(crate) fn push(&mut self, picture: T, now: Instant) {
        if self.pending.is_empty() {
            self.due_at = Some(now + self.max_wait);
        }
        self.pending.push(picture);
    }

    pub(crate) fn next(&self, now: Instant) -> Next {
        match self.due_at {
            None => Next::Collect,
            Some(_) if self.pending.len() >= self.size => Next::Offer,
            Some(due_at) if due_at <= now => Next::OfferAndCollect,
            Some(due_at) => Next::CollectUntil(due_at),
        }
    }

    pub(crate) fn take(&mut self) -> Vec<T> {
        self.due_at = None;
        std::mem::take(&mut self.pending)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_millis(20);

    #[test]
    fn an_empty_batch_waits_for_ever() {
        let assembly = Assembly::<u8>::new(2, WAIT);
        assert_eq!(assembly.next(Instant::now()), Next::Collect);
    }

    #[test]
    fn a_full_batch_is_offered_at_once() {
        let now = Instant::now();
        let mut assembly = Assembly::new(2, WAIT);
        assembly.push('a', now);
        assert_eq!(assembly.next(now), Next::CollectUntil(now + WAIT));
        assembly.push('b', now);
        assert_eq!(assembly.next(now), Next::Offer);
        assert_eq!(assembly.take(), ['a', 'b']);
        assert_eq!(assembly.next(now), Next::Collect);
    }

    #[test]
    fn a_late_batch_is_offered_and_may_grow_until_it_is_taken() {
        let start = Instant::now();
        let mut assembly = Assembly::new(3, WAIT);
        assembly.push('a', start);
        // The second picture does not put the batch off.
        assembly.push('b', start + WAIT / 2);
        assert_eq!(assembly.next(start + WAIT / 2), Next::CollectUntil(start + WAIT));
        assert_eq!(assembly.next(start + WAIT), Next::OfferAndCollect);
        assembly.push('c', start + 2 * WAIT);
        assert_eq!(assembly.next(start + 2 * WAIT), Next::Offer);
        assert_eq!(assembly.take(), ['a', 'b', 'c']);
    }

    #[test]
    fn a_size_of_zero_is_one() {
        let now = Instant::now();
        let mut assembly = Assembly::new(0, WAIT);
        assembly.push('a', now);
        assert_eq!(assembly.next(now), Next::Offer);
    }
}
