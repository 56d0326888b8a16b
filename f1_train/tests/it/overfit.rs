//! One batch is learned by heart when noise and time are fixed and nothing is hidden.

use std::sync::Arc;

use candle_core::Device;
use f1_data::mixture::{Drawn, Position};
use f1_model::network::F1Network;
use f1_model::parameters::Group;
use f1_model::training::Batch;
use f1_train::batch::{Prepared, Preparer};
use f1_train::optimizer::{AdamW, Optimizer};
use f1_train::parameters::Parameters;
use f1_train::trainer::stage_loss;
use f1_train::{RunFile, setup};

use crate::fixture::Fixture;

struct Lesson {
    run: RunFile,
    config: f1_model::Config,
    parameters: Parameters,
    optimizer: Optimizer,
    samples: Vec<Prepared>,
    batch: Batch,
}

fn lesson(fixture: &Fixture, stage: &str) -> Lesson {
    let run = fixture.run(stage, "none", "batch: 4\nsteps: 1\nloss: {hide_sample: 0.0}");
    let mut config = setup::config(&run.model).unwrap();
    config.run.top_k = 1;
    let sources = setup::open_sources(&run, &mut config).unwrap();
    let statistics = setup::statistics(&run, &sources).unwrap();
    let normalisers = setup::normalisers(&run, &sources, &statistics).unwrap();
    let reader = setup::reader(&run, sources);
    let encoder = setup::prompt_encoder(&setup::prompt_tokenizer(&run).unwrap(), &config).unwrap();
    let prompts = f1_train::batch::encode_prompts(&reader, &encoder).unwrap();
    let preparer = Arc::new(Preparer {
        reader,
        normalisers,
        prompts,
        tokens: None,
        config: config.clone(),
        random_crop: false,
        augmentation: None,
        seed: 1,
        flow_draws: 2,
        cameras: 2,
        wants_cameras: true,
    });
    let mut order = preparer.reader.order(1, Position::default()).unwrap();
    let drawn: Vec<Drawn> = (0..4).map(|_| order.draw()).collect();
    let samples: Vec<Prepared> =
        drawn.into_iter().map(|drawn| preparer.prepare(drawn).unwrap()).collect();
    let (weights, _) = setup::weights(&run, &config).unwrap();
    let (parameters, slots) = Parameters::new(&config, &weights, &run, &Device::Cpu).unwrap();
    let network = F1Network::new(&config, &parameters.weights().unwrap(), None).unwrap();
    let batch =
        preparer.collate(&samples, &Device::Cpu, |frames| Ok(network.tokenize(frames)?)).unwrap();
    let optimizer = Optimizer::new(AdamW::default(), slots);
    Lesson { run, config, parameters, optimizer, samples, batch }
}

impl Lesson {
    fn step(&mut self, rate: f64) -> (f64, f64) {
        let network =
            F1Network::new(&self.config, &self.parameters.weights().unwrap(), None).unwrap();
        let output = stage_loss(&network, &self.batch, &self.samples, &self.run, 0).unwrap();
        let mut store = output.loss.backward().unwrap();
        let gradients = self.optimizer.collect(&mut store);
        self.optimizer.update(&gradients, |_| rate).unwrap();
        let scalar = |tensor: &candle_core::Tensor| f64::from(tensor.to_scalar::<f32>().unwrap());
        (scalar(&output.loss), output.action_loss.as_ref().map_or(0.0, scalar))
    }
}

#[test]
fn stage_one_falls_below_a_twentieth() {
    let fixture = Fixture::new();
    let mut lesson = lesson(&fixture, "stage1");
    let (start, _) = lesson.step(3e-3);
    let reached = (0..400)
        .map(|step| lesson.step(3e-3 * (1.0 - f64::from(step) / 450.0)).0)
        .find(|loss| *loss < 0.05 * start);
    assert!(reached.is_some(), "from {start} only to {}", lesson.step(0.0).0);
}

#[test]
fn the_action_loss_falls_below_a_fiftieth() {
    let fixture = Fixture::new();
    let mut lesson = lesson(&fixture, "stage3");
    let (_, start) = lesson.step(3e-3);
    let reached = (0..500)
        .map(|step| lesson.step(3e-3 * (1.0 - f64::from(step) / 550.0)).1)
        .find(|loss| *loss < 0.02 * start);
    assert!(reached.is_some(), "from {start} only to {}", lesson.step(0.0).1);
}

#[test]
fn every_trained_group_gets_gradients_in_stage_three() {
    let fixture = Fixture::new();
    let lesson = lesson(&fixture, "stage3");
    let network =
        F1Network::new(&lesson.config, &lesson.parameters.weights().unwrap(), None).unwrap();
    let output = stage_loss(&network, &lesson.batch, &lesson.samples, &lesson.run, 0).unwrap();
    let mut store = output.loss.backward().unwrap();
    let gradients = lesson.optimizer.collect(&mut store);
    for group in [Group::Vision, Group::Understanding, Group::Generation, Group::Action] {
        let moved = lesson.optimizer.slots().iter().zip(&gradients).filter(|(slot, gradient)| {
            slot.group == group
                && gradient.as_ref().is_some_and(|gradient| {
                    gradient.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap() > 0.0
                })
        });
        assert!(moved.count() > 5, "{}", group.name());
    }
}
