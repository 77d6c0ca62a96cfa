//! The Kafka client library as this product links it: librdkafka with what would make it fall mended.
//!
//! *A partition without a leader* (issue 5280 of librdkafka's repository, open in 2.12.1 and later): a broker that answers a fetch
//! may say which partitions have another leader now. Those that have none are counted by the library but not
//! written, so that it goes on with whatever lies in memory behind the others: it logs leaders and partitions that do not exist,
//! and where such a number happens to be a broker's, it writes outside its tables. Seen as a counter that ended by
//! SIGSEGV while a broker came back.
//!
//! The build script takes the library's file from the sources that `rdkafka-sys` has built, changes the one place, and compiles
//! it. An archive's member is linked for a name that is still missing; [`mended`] needs a name that only the changed file has, which
//! comes with all of the file's others, so the library's own file stays out. Were both taken, the linker would refuse them as
//! doubled. A release whose lines read otherwise ends the build with a text that says what to look at.
#![allow(unsafe_code)]

use std::ffi::c_int;

// Its archive comes after ours.
use rdkafka_sys as _;

unsafe extern "C" {
    static mineseal_librdkafka_mended: c_int;
}

/// Whether the mended library is linked: always so where this crate is. Who uses a client calls it once, as a program that
/// never names this crate gets the library as it was.
#[must_use]
pub fn mended() -> bool {
    // SAFETY: a constant of the object that the build script compiles; nobody writes to it.
    unsafe { mineseal_librdkafka_mended == 1 }
}
