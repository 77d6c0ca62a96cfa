use std::cell::RefCell;
use std::marker::PhantomData;
use std::ops::Range;
use std::rc::Rc;

use crate::error::{KernelError, misfit};
use crate::operation::{Place, Space};
use crate::packing::LANE;

/// Bytes of a number.
pub(crate) const HALF: usize = 2;
const ALIGNMENT: usize = 256;

/// Which parts of a plan's memory are in use: a map that is dropped makes room for later ones. Launches run in the
/// order in which they were written down, so that nobody reads the old map any more when a new one is written there.
#[derive(Debug, Default)]
pub(crate) struct Regions {
    /// First byte and length, by first byte, never touching.
    free: Vec<Range<usize>>,
    end: usize,
    /// What is given back stays as it is.
    kept: bool,
}

impl Regions {
    pub(crate) fn take(&mut self, length: usize) -> Range<usize> {
        let length = length.next_multiple_of(ALIGNMENT);
        let fits = self
            .free
            .iter()
            .enumerate()
            .filter(|(_, one)| one.len() >= length);
        if let Some((index, _)) = fits.min_by_key(|(_, one)| one.len()) {
            let start = self.free[index].start;
            self.free[index].start += length;
            if self.free[index].is_empty() {
                self.free.remove(index);
            }
            return start..start + length;
        }
        // What is free at the very end grows.
        let start = match self.free.last() {
            Some(last) if last.end == self.end => self.free.pop().map_or(self.end, |last| last.start),
            _ => self.end,
        };
        self.end = start + length;
        start..self.end
    }

    /// From now on, what is given back is not used again: launches run side by side.
    pub(crate) fn keep(&mut self) {
        self.kept = true;
    }

    fn give_back(&mut self, region: Range<usize>) {
        if self.kept {
            return;
        }
        let index = self.free.partition_point(|one| one.start < region.start);
        self.free.insert(index, region);
        let mut joined: Vec<Range<usize>> = Vec::with_capacity(self.free.len());
        for one in self.free.drain(..) {
            match joined.last_mut() {
                Some(last) if last.end == one.start => last.end = one.end,
                _ => joined.push(one),
            }
        }
        self.free = joined;
    }

    /// Bytes that all maps together need.
    pub(crate) fn length(&self) -> usize {
        self.end
    }
}

/// A feature map of all pictures of a plan: `[pictures, height, width, channels]`, f16.
#[derive(Debug)]
pub struct Map {
    region: Range<usize>,
    channels: usize,
    height: usize,
    width: usize,
    home: Rc<RefCell<Regions>>,
}

/// Some channels of a map.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Of the first channel of the first pixel.
    pub(crate) place: Place,
    /// From pixel to pixel.
    pub(crate) pitch: usize,
    pub(crate) channels: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    map: PhantomData<&'a Map>,
}

impl Map {
    pub(crate) fn new(
        home: &Rc<RefCell<Regions>>,
        pictures: usize,
        channels: usize,
        (height, width): (usize, usize),
    ) -> Self {
        Self {
            region: home
                .borrow_mut()
                .take(pictures * height * width * channels * HALF),
            channels,
            height,
            width,
            home: Rc::clone(home),
        }
    }

    /// Channels of a pixel.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Rows.
    #[must_use]
    pub fn height(&self) -> usize {
        self.height
    }

    /// Pixels in a row.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// All channels.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        View {
            place: Place {
                space: Space::Work,
                offset: self.region.start,
            },
            pitch: self.channels,
            channels: self.channels,
            height: self.height,
            width: self.width,
            map: PhantomData,
        }
    }

    /// Some of the channels, which begin at a multiple of 8.
    ///
    /// # Errors
    /// Where the map does not have them.
    pub fn part(&self, channels: Range<usize>) -> Result<View<'_>, KernelError> {
        let even = channels.start.is_multiple_of(LANE) && channels.len().is_multiple_of(LANE);
        if !even || channels.is_empty() || channels.end > self.channels {
            return misfit("map", format!("channels {channels:?} of {}", self.channels));
        }
        let mut view = self.view();
        view.place.offset += channels.start * HALF;
        view.channels = channels.len();
        Ok(view)
    }
}

#[cfg(test)]
impl View<'_> {
    /// Some of the input's bytes, taken for a map.
    pub(crate) fn of_input(
        offset: usize,
        pitch: usize,
        channels: usize,
        (height, width): (usize, usize),
    ) -> Self {
        Self {
            place: Place {
                space: Space::Work,
                offset: crate::plan::INPUT_OFFSET + offset,
            },
            pitch,
            channels,
            height,
            width,
            map: PhantomData,
        }
    }

    /// Where it begins in the working memory.
    pub(crate) fn offset(&self) -> usize {
        self.place.offset
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        self.home.borrow_mut().give_back(self.region.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::Regions;

    #[test]
    fn what_was_given_back_is_used_again_and_joined() {
        let mut regions = Regions::default();
        let [first, second, third] = [1000, 256, 512].map(|length| regions.take(length));
        assert_eq!(
            (first.clone(), second.clone(), third.clone()),
            (0..1024, 1024..1280, 1280..1792)
        );
        regions.give_back(second);
        regions.give_back(first);
        // Both together are large enough.
        assert_eq!(regions.take(1280), 0..1280);
        regions.give_back(third);
        // The end grows where it is free.
        assert_eq!(regions.take(1024), 1280..2304);
        assert_eq!(regions.length(), 2304);
    }
}
