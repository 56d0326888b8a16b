//! Frozen parts stay as they are, without gradients or optimizer state.

use std::collections::HashMap;

use f1_model::parameters::Group;

use crate::fixture::{Fixture, open, train};

fn tensors(path: &std::path::Path) -> HashMap<String, Vec<f32>> {
    let tensors = candle_core::safetensors::load(path, &candle_core::Device::Cpu).unwrap();
    tensors
        .into_iter()
        .filter(|(_, tensor)| tensor.dtype() == candle_core::DType::F32)
        .map(|(name, tensor)| (name, tensor.flatten_all().unwrap().to_vec1().unwrap()))
        .collect()
}

#[test]
fn stage_one_changes_the_generation_expert_and_nothing_else() {
    let fixture = Fixture::new();
    train(fixture.run("stage1", "first", "batch: 2\nsteps: 1"), false);
    let mut run = fixture.run("stage1", "second", "batch: 2\nsteps: 3");
    run.model.init = Some(fixture.path("first/model"));
    let trainer = train(run, false);
    let (before, after) = (
        tensors(&fixture.path("first/model/model.safetensors")),
        tensors(&fixture.path("second/model/model.safetensors")),
    );
    let config = f1_model::Config::load(&fixture.path("model")).unwrap();
    let (mut changed, mut kept) = (0, 0);
    for spec in f1_model::parameters::used_parameters(&config) {
        let Some(values) = before.get(&spec.name) else { continue };
        if spec.group == Group::Generation {
            changed += usize::from(values != &after[&spec.name]);
        } else {
            let same =
                values.iter().zip(&after[&spec.name]).all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(same, "{} has changed", spec.name);
            kept += 1;
        }
    }
    assert!(changed > 10 && kept > 50, "{changed} changed, {kept} kept");
    assert!(trainer.optimizer().slots().iter().all(|slot| slot.group == Group::Generation));
}

#[test]
fn a_step_of_stage_one_holds_no_gradient_of_a_frozen_tensor() {
    let fixture = Fixture::new();
    let trainer = open(fixture.run("stage1", "run", "batch: 2\nsteps: 1"), false).unwrap();
    let config = f1_model::Config::load(&fixture.path("model")).unwrap();
    for spec in f1_model::parameters::used_parameters(&config) {
        let tensor = trainer.parameters().get(&spec.name).unwrap();
        let trained =
            spec.group == Group::Generation && spec.kind == f1_model::parameters::Kind::Parameter;
        // Only what is a variable, or depends on one, is given a gradient by the backward pass.
        assert_eq!(tensor.is_variable(), trained, "{}", spec.name);
        assert!(trained || !tensor.track_op(), "{}", spec.name);
    }
}

#[test]
fn adapters_leave_their_base_alone_and_are_merged_when_written() {
    let fixture = Fixture::new();
    let lora = "batch: 2\nsteps: 3\nlora: {groups: [understanding, vision, generation, action], rank: 2, alpha: 4}";
    let trainer = train(fixture.run("stage3", "run", lora), false);
    assert!(trainer.optimizer().slots().iter().all(|slot| slot.name.contains("lora")));
    let written = tensors(&fixture.path("run/model/model.safetensors"));
    let name = format!("{}.layers.0.mlp.up_proj.weight", f1_model::parameters::ACTION);
    let base =
        trainer.parameters().get(&name).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert_ne!(written[&name], base);
    let name = format!("{}.layers.0.input_layernorm.weight", f1_model::parameters::ACTION);
    let base =
        trainer.parameters().get(&name).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert_eq!(written[&name], base);
}

/// A folder whose weights lack the generation expert and the tokenizer, as a pi0 checkpoint, under
/// that checkpoint's shorter names.
fn pi0_layout(fixture: &Fixture) -> std::path::PathBuf {
    train(fixture.run("stage3", "whole", "batch: 2\nsteps: 1"), false);
    let config = f1_model::Config::load(&fixture.path("model")).unwrap();
    let whole = fixture.path("whole/model/model.safetensors");
    let mut tensors = candle_core::safetensors::load(whole, &candle_core::Device::Cpu).unwrap();
    for spec in f1_model::parameters::used_parameters(&config) {
        let tensor = tensors.remove(&spec.name);
        if let Some(tensor) = tensor
            && !matches!(spec.group, Group::Generation | Group::Tokenizer)
        {
            tensors.insert(spec.name.trim_start_matches("model.").to_owned(), tensor);
        }
    }
    let folder = fixture.path("pi0");
    std::fs::create_dir_all(&folder).unwrap();
    for file in ["config.json", "tokenizer.json"] {
        std::fs::copy(fixture.path("model").join(file), folder.join(file)).unwrap();
    }
    candle_core::safetensors::save(&tensors, folder.join("model.safetensors")).unwrap();
    folder
}

#[test]
fn adapters_on_weights_that_the_checkpoint_lacks_are_refused() {
    let fixture = Fixture::new();
    let init = pi0_layout(&fixture);
    let run = |output: &str, groups: &str| {
        let more = format!("batch: 2\nsteps: 2\nlora: {{groups: [{groups}], rank: 2, alpha: 4}}");
        let mut run = fixture.run("stage3", output, &more);
        run.model.init = Some(init.clone());
        run.model.allow_missing = true;
        run
    };
    let error = open(run("refused", "understanding, generation, action"), false).err().unwrap();
    let said = error.to_string();
    assert!(said.contains("names generation") && said.contains("lora.groups"), "{said}");
    // Without them the generation expert is trained as a whole, and the others by adapters.
    let trainer = train(run("run", "understanding, action"), false);
    let slots = trainer.optimizer().slots();
    assert!(slots.iter().any(|slot| slot.group == Group::Generation));
    assert!(slots.iter().all(|slot| {
        slot.name.contains("lora") == matches!(slot.group, Group::Understanding | Group::Action)
            || !slot.name.contains(".layers.")
    }));
}
