//! Many mines through the running pipeline, and what each stage makes of them.

mod mines;
mod report;
mod resources;

pub use mines::{LoadPlan, write_mines};
pub use report::{Lags, Report, StageRow};
pub use resources::Resources;
