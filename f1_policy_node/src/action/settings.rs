//! The parameters of the node `action`.

use f1_middleware::parameters::{Descriptor, ParameterError, Parameters};

/// How a chunk joins the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joining {
    /// The new chunk takes over at once.
    Replace,
    /// Overlapping chunks are averaged by the safety filter, as ACT does.
    Ensemble,
    /// Real-time chunking: the flow is held to the rows that will be executed anyway.
    Rtc,
}

/// The parameters of the node `action`.
#[derive(Debug, Clone, PartialEq)]
pub struct ActionSettings {
    /// How chunks are joined.
    pub joining: Joining,
    /// Rows after which to infer anew; 0: half the chunk.
    pub replan_steps: usize,
    /// How long `act` appears to take on a virtual clock, s.
    pub virtual_latency: f64,
}

impl ActionSettings {
    /// Declares the parameters with their ranges.
    ///
    /// # Errors
    /// A given value of another kind or outside its range.
    pub fn declare(parameters: &Parameters) -> Result<(), ParameterError> {
        parameters.declare(
            "splice",
            "replace".to_owned(),
            Descriptor::new(
                "How a chunk joins the one before it: replace, ensemble (overlapping chunks are averaged, as ACT \
                 does) or rtc (real-time chunking: rows that will be executed anyway are held fixed while the flow \
                 is integrated).",
            )
            .one_of(["replace", "ensemble", "rtc"]),
        )?;
        parameters.declare(
            "replan_steps",
            0_i64,
            Descriptor::new("Executed rows after which to infer anew; 0: half the chunk.")
                .integers(0, 1000),
        )?;
        parameters.declare(
            "virtual_latency",
            0.03,
            Descriptor::new(
                "How long action appears to take on a virtual clock, s; no effect in real time.",
            )
            .doubles(0.0, 10.0),
        )?;
        Ok(())
    }

    /// The values as they stand.
    ///
    /// # Errors
    /// Parameters that were not declared.
    pub fn read(parameters: &Parameters) -> Result<Self, ParameterError> {
        let joining = match parameters.get::<String>("splice")?.as_str() {
            "ensemble" => Joining::Ensemble,
            "rtc" => Joining::Rtc,
            _ => Joining::Replace,
        };
        Ok(Self {
            joining,
            replan_steps: usize::try_from(parameters.get::<i64>("replan_steps")?).unwrap_or(0),
            virtual_latency: parameters.get("virtual_latency")?,
        })
    }
}
