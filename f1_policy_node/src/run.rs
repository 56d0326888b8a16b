//! Running a composed process: spinning until a signal, the live status line, the page of
//! parameters.

use std::fmt::Write as _;

use f1_middleware::parameters::markdown;
use f1_middleware::{Backend, Context, ContextOptions, Parameters};

use crate::error::NodeResult;
use crate::process::{PolicyProcess, ProcessOptions, load_from_parameters};
use crate::status::Status;

/// Runs callbacks until the context shuts down, then waits for the nodes' own threads.
pub fn spin_until_shutdown(context: &Context) {
    context.spin();
    context.join();
}

/// The status in one line: state, rates, latency, foresight error, safety.
#[must_use]
pub fn status_line(status: &mut Status, now_ns: i64) -> String {
    let (state, reason) = status.state();
    let mut line = format!("{state:?}");
    if !reason.is_empty() {
        // Writing to a String cannot fail.
        let _ = write!(line, " ({reason})");
    }
    let _ = write!(
        line,
        " | chunks {} at {:.1} Hz | latency {:.0} ms",
        status.total_chunks,
        status.chunk_rate.rate(now_ns),
        status.latency.as_secs_f64() * 1e3
    );
    if let Some(error) = &status.foresight {
        let _ = write!(
            line,
            " | foresight {:.1} dB (newest frame {:.1}), tokens {:.0} %",
            error.psnr,
            error.psnr_if_still,
            error.token_agreement * 100.0
        );
    }
    let _ = write!(line, " | interventions {}", status.interventions);
    line
}

/// The page of parameters, written from the declarations of the four nodes.
///
/// # Errors
/// Nodes that cannot be made.
pub fn parameter_page() -> NodeResult<String> {
    let context = Context::new(ContextOptions::new(Backend::mem_virtual()))?;
    let options = ProcessOptions { autostart: false, ..ProcessOptions::default() };
    let process = PolicyProcess::compose(&context, load_from_parameters(), &options)?;
    let parameters: Vec<Parameters> =
        process.nodes().iter().map(|node| node.parameters().clone()).collect();
    let mut page = String::from(
        "# Parameters\n\nWritten by `f1_policy_node --print-parameters`; a test keeps this page up to date. All are ROS 2 parameters: on the \
         command line (`--ros-args -p name:=value`), in a file (`--params-file`), by `ros2 param set` while the node runs. A set that is not \
         valid as a whole is refused with the reason, and the old values stay.\n\n",
    );
    page.push_str(&markdown(&parameters));
    Ok(page.trim_end().to_owned() + "\n")
}
