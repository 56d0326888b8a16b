//! The loss of each stage on a batch.

use f1_model::network::F1Network;
use f1_model::parameters::Group;
use f1_model::recorder::Recorder;
use f1_model::sampling::TokenSource;
use f1_model::training::{Batch, JointSettings, LossOutput, Stage1Settings, hidden_tokens};

use crate::batch::Prepared;
use crate::run_file::{RunFile, Stage};
use crate::{Result, disturbance};

/// Which samples' foresight is hidden from the action expert; none when the run asks for none.
fn hidden_foresight(samples: &[Prepared], share: f64) -> Option<Vec<bool>> {
    (share > 0.0).then(|| samples.iter().map(|sample| f64::from(sample.hiding.0) < share).collect())
}

/// The loss of stages I to III on a batch.
///
/// # Errors
/// When sizes do not fit.
pub fn stage_loss(
    network: &F1Network,
    batch: &Batch,
    samples: &[Prepared],
    run: &RunFile,
    step: u64,
) -> Result<LossOutput> {
    let mut recorder = Recorder::off();
    if run.stage == Stage::Stage1 {
        let (sample, token) = (run.loss.hide_sample as f32, run.loss.hide_token as f32);
        let hidden = if sample > 0.0 && token > 0.0 {
            let of_sample: Vec<f32> = samples.iter().map(|sample| sample.hiding.0).collect();
            let of_token: Vec<Vec<f32>> =
                samples.iter().map(|sample| sample.hiding.1.clone()).collect();
            Some(hidden_tokens(&of_sample, &of_token, sample, token, network.device())?)
        } else {
            None
        };
        let seed = run.seed ^ step.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let (config, device) = (&network.foresight()?.config, network.device());
        let settings = Stage1Settings {
            hidden,
            disturbance: disturbance::noise(&run.loss, config, samples.len(), seed, device)?,
            change_weight: run.loss.change_weight,
            map_weight: run.loss.map_weight,
        };
        return Ok(network.stage1_loss_with(batch, &settings, &mut recorder)?);
    }
    let settings = &network.config().run;
    let seed = run.seed ^ step.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut joint = JointSettings {
        generation_weight: run.loss.generation_weight,
        reduction: run.loss.reduction.into(),
        source: TokenSource::new(settings.top_k, settings.top_p, seed),
        foresight_loss: run.trains(Group::Generation) || run.adapts(Group::Generation),
        hidden_foresight: hidden_foresight(samples, run.loss.hide_foresight),
        map_weight: run.loss.map_weight,
    };
    Ok(network.joint_loss(batch, &mut joint, &mut recorder)?)
}
