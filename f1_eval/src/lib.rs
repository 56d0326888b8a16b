//! The paper's measurements of a checkpoint on a data set (section 4.3), and images of its
//! foresight.
//!
//! - [`Evaluator`] runs a checkpoint over samples and sums up a [`Report`].
//! - [`Judge`] asks a vision-language model for the three scores of appendix E.
//! - [`scatter`] and [`sheet()`] draw: accuracies as SVG, foresight as one image.

mod error;
mod judge;
mod measure;
mod plot;
mod report;
mod sheet;

pub use error::{EvalError, Result};
pub use judge::{Judge, JudgeError, Verdict, judge_prompt, parse_verdict};
pub use measure::{EvalSettings, Evaluator, Example};
pub use plot::{Series, scatter};
pub use report::{Accuracy, Measures, Report, TAUS, correlation};
pub use sheet::sheet;
