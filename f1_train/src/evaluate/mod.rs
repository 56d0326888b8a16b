//! The paper's measurements of a checkpoint on a data set (section 4.3), and pictures of its foresight.

mod measure;
mod plot;
mod report;
mod sheet;

pub use measure::{EvalSettings, Evaluator, Example};
pub use plot::{Series, scatter};
pub use report::{Accuracy, Measures, Report, TAUS, correlation};
pub use sheet::sheet;
