//! How much of the prefix is computed for an observation: all of it, understanding with the
//! foresight of an earlier observation, or understanding alone.

use f1_middleware::parameters::Proposal;
use f1_model::config::AttentionMode;
use f1_model::sampling::TokenSource;
use f1_model::{Config, Embedded, HistoryFrame, Prefix};

use super::node::Shared;
use crate::observation::Observation;

/// Which passes run for a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Understanding and foresight.
    #[default]
    On,
    /// Understanding; foresight only when that of an earlier observation is too old, of another
    /// instruction, or was not what came.
    Cached,
    /// Understanding alone.
    Off,
}

/// Names of the modes, the default first.
pub const MODES: [&str; 3] = ["on", "cached", "off"];

impl Mode {
    /// From its name; an unknown one is the default.
    #[must_use]
    pub fn named(name: &str) -> Self {
        match name {
            "cached" => Self::Cached,
            "off" => Self::Off,
            _ => Self::On,
        }
    }

    /// Whether a model can be run in this mode.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn check(self, config: &Config) -> Result<(), String> {
        let foresees = config.generation.is_some();
        match self {
            Self::Cached | Self::Off
                if foresees && config.run.attention == AttentionMode::Released =>
            {
                Err("with attention \"released\" understanding sees the condition, so that \
                     foresight can neither be kept nor left out"
                    .into())
            }
            Self::Off if foresees && !config.run.optional_foresight => {
                Err("the model was not trained to act without foresight (loss.hide_foresight of \
                     its run file, f1.optional_foresight of its config.json)"
                    .into())
            }
            _ => Ok(()),
        }
    }

    /// Checks a change of the parameter `mode` against a model.
    ///
    /// # Errors
    /// Why the model cannot be run in the mode that is asked for.
    pub fn proposed(proposal: &Proposal<'_>, config: &Config) -> Result<(), String> {
        if !proposal.changed().iter().any(|name| name == "mode") {
            return Ok(());
        }
        let name: String = proposal.get("mode")?;
        Self::named(&name).check(config).map_err(|reason| format!("mode {name}: {reason}"))
    }
}

/// Foresight that may be used again.
pub(super) struct Kept {
    prefix: Prefix,
    /// Of the observation that it was foreseen from.
    stamp_ns: i64,
    epoch: u64,
}

/// The prefix of an observation, and of which observation its foresight is.
pub(super) struct Perceived {
    pub prefix: Prefix,
    /// Stamp of the observation that the foresight is of, ns; none without foresight.
    pub foresight_ns: Option<i64>,
}

impl Shared {
    /// Computes the prefix, as much of it as the mode asks for.
    pub(super) fn prefix_of(
        &self,
        observation: &Observation,
        embedded: &Embedded,
        history: &[HistoryFrame],
        seed: u64,
    ) -> f1_model::Result<Perceived> {
        let policy = &self.resources.policy;
        let (stamp_ns, epoch) = (observation.stamp_ns, observation.instruction.epoch);
        let (mode, keep_ns) = {
            let settings = self.settings.lock();
            (settings.mode, settings.cache_ns)
        };
        let foresees = self.resources.foresees();
        if foresees && mode == Mode::Off {
            let prefix = policy.understand(embedded)?;
            return Ok(Perceived { prefix, foresight_ns: None });
        }
        if foresees && mode == Mode::Cached {
            let kept = self.kept.lock();
            let fit = |kept: &&Kept| {
                kept.epoch == epoch && (0..keep_ns).contains(&(stamp_ns - kept.stamp_ns))
            };
            if let Some(kept) = kept.as_ref().filter(fit) {
                match policy.renew(embedded, &kept.prefix) {
                    Ok(prefix) => {
                        let foresight_ns = Some(kept.stamp_ns);
                        return Ok(Perceived { prefix, foresight_ns });
                    }
                    // A camera came or went: the tokens are others.
                    Err(error) => tracing::debug!(%error, "foresight is not kept"),
                }
            }
        }
        let run = &policy.config().run;
        let mut source = TokenSource::new(run.top_k, run.top_p, seed);
        let prefix = policy.perceive_embedded(embedded, history, &mut source)?;
        if mode == Mode::Cached {
            *self.kept.lock() = Some(Kept { prefix: prefix.clone(), stamp_ns, epoch });
        }
        Ok(Perceived { prefix, foresight_ns: foresees.then_some(stamp_ns) })
    }

    /// The scene departs from what was foreseen: the next prefix is computed whole.
    pub(super) fn forget_foresight(&self) {
        *self.kept.lock() = None;
    }
}
