//! The official name of each name in a file.

use crate::parameters::{ACTION, TEXT_EMBEDDING};

/// The official name of a name found in a file.
///
/// Tied tensors have two names; `lerobot/pi0_base` leaves out `model.` and nests PaliGemma as newer
/// libraries do.
pub(crate) fn official(name: &str) -> String {
    let name = name.strip_prefix("module.").unwrap_or(name);
    let name = if name.starts_with("model.") { name.to_string() } else { format!("model.{name}") };
    let name = name
        .replace(".paligemma.model.language_model.", ".paligemma.language_model.model.")
        .replace(".paligemma.model.vision_tower.", ".paligemma.vision_tower.")
        .replace(".paligemma.model.multi_modal_projector.", ".paligemma.multi_modal_projector.")
        .replace(".paligemma.lm_head.", ".paligemma.language_model.lm_head.");
    if name.ends_with(".paligemma.language_model.model.embed_tokens.weight") {
        TEXT_EMBEDDING.to_string()
    } else {
        name
    }
}

/// Tensors of other tools that a policy file may hold and that are not used here: normalisation
/// buffers of LeRobot, the action expert's text embedding, a pooling head.
pub(crate) fn foreign(name: &str) -> bool {
    let name = name.strip_prefix("model.").unwrap_or(name);
    name.starts_with("normalize_")
        || name.starts_with("unnormalize_")
        || name.contains(".vision_model.head.")
        || ACTION
            .strip_prefix("model.")
            .is_some_and(|action| name == format!("{action}.embed_tokens.weight"))
        || name.ends_with(".gemma_wm_expert.model.embed_tokens.weight")
        || name.ends_with(".embeddings.position_ids")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_names_of_a_tied_tensor_have_one_official_name() {
        assert_eq!(official("vae.quant_conv.bias"), "model.vae.quant_conv.bias");
        let tied = "model.paligemma_with_expert.paligemma.language_model.model.embed_tokens.weight";
        assert_eq!(official(tied), TEXT_EMBEDDING);
        let nested = "paligemma_with_expert.paligemma.model.language_model.embed_tokens.weight";
        assert_eq!(official(nested), TEXT_EMBEDDING);
    }

    #[test]
    fn a_newer_library_nests_paligemma_deeper() {
        assert_eq!(
            official(
                "paligemma_with_expert.paligemma.model.language_model.layers.3.mlp.up_proj.weight"
            ),
            "model.paligemma_with_expert.paligemma.language_model.model.layers.3.mlp.up_proj.weight"
        );
    }
}
