//! What the load program is made of; the micro-benches lie in `benches/`.

pub mod load;
