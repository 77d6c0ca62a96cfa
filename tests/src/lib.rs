//! A whole mineseal as its users run it: the built program, with data, ports and names of its own.

mod expected;
mod site;

pub use expected::{Expected, Tally};
pub use mineseal_embedded::free_port;
pub use site::{Engines, Site, program};
