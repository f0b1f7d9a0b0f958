//! Models of sound and images.

use candle_core::{Module, Result};
use candle_nn::VarBuilder;
use candle_transformers::models::clip::text_model::{ClipTextConfig, ClipTextTransformer};
use candle_transformers::models::clip::vision_model::{ClipVisionConfig, ClipVisionTransformer};
use candle_transformers::models::clip::{ClipConfig, ClipModel};
use candle_transformers::models::{dinov2, vit, whisper};

use super::{Family, Forward, config, noise, tokens};

/// Whisper, vision transformers, CLIP.
pub(super) fn families() -> Vec<Family> {
    vec![
        Family { name: "whisper", batch: 2, load: load_whisper },
        Family { name: "whisper", batch: 1, load: load_whisper },
        Family { name: "vit", batch: 2, load: load_vit },
        Family { name: "vit", batch: 1, load: load_vit },
        Family {
            name: "dinov2",
            // Its code takes one image.
            batch: 1,
            load: |vb, batch| {
                let model = dinov2::DinoVisionTransformer::new(vb, 2, 16, 2)?;
                let images = noise(&[batch, 3, 28, 28])?;
                Ok(Box::new(move || model.forward(&images)))
            },
        },
        Family {
            name: "clip, text",
            batch: 2,
            load: |vb, batch| {
                let (model, ids) = (ClipTextTransformer::new(vb, &text())?, tokens(batch, 5)?);
                Ok(Box::new(move || model.forward(&ids)))
            },
        },
        Family { name: "clip, vision", batch: 2, load: load_clip_vision },
        Family { name: "clip, vision", batch: 1, load: load_clip_vision },
        Family {
            name: "clip, both",
            batch: 2,
            load: |vb, batch| {
                let (text_config, vision_config) = (text(), vision());
                let config = ClipConfig { text_config, vision_config, logit_scale_init_value: 1., image_size: 16 };
                let model = ClipModel::new(vb, &config)?;
                let (images, ids) = (noise(&[batch, 3, 16, 16])?, tokens(batch, 5)?);
                Ok(Box::new(move || Ok(model.forward(&images, &ids)?.0)))
            },
        },
    ]
}

fn load_whisper(vb: VarBuilder<'static>, batch: usize) -> Result<Forward> {
    let config: whisper::Config = config(
        r#"{"num_mel_bins": 6, "max_source_positions": 6, "d_model": 16, "encoder_attention_heads": 2, "encoder_layers": 2,
        "vocab_size": 20, "max_target_positions": 8, "decoder_attention_heads": 2, "decoder_layers": 2}"#,
    )?;
    let (mels, ids) = (noise(&[batch, config.num_mel_bins, 12])?, tokens(batch, 5)?);
    let mut model = whisper::model::Whisper::load(&vb, config)?;
    Ok(Box::new(move || {
        let encoded = model.encoder.forward(&mels, true)?;
        let hidden = model.decoder.forward(&ids, &encoded, true)?;
        model.decoder.final_linear(&hidden)
    }))
}

fn load_vit(vb: VarBuilder<'static>, batch: usize) -> Result<Forward> {
    let config: vit::Config = config(
        r#"{"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24, "hidden_act": "gelu",
        "layer_norm_eps": 1e-5, "image_size": 16, "patch_size": 8, "num_channels": 3, "qkv_bias": true}"#,
    )?;
    let (model, images) = (vit::Model::new(&config, 5, vb)?, noise(&[batch, 3, 16, 16])?);
    Ok(Box::new(move || model.forward(&images)))
}

fn load_clip_vision(vb: VarBuilder<'static>, batch: usize) -> Result<Forward> {
    let (model, images) = (ClipVisionTransformer::new(vb, &vision())?, noise(&[batch, 3, 16, 16])?);
    Ok(Box::new(move || model.forward(&images)))
}

fn text() -> ClipTextConfig {
    ClipTextConfig {
        vocab_size: 20,
        embed_dim: 16,
        activation: candle_transformers::models::clip::text_model::Activation::QuickGelu,
        intermediate_size: 24,
        max_position_embeddings: 8,
        pad_with: None,
        num_hidden_layers: 2,
        num_attention_heads: 2,
        projection_dim: 8,
    }
}

fn vision() -> ClipVisionConfig {
    ClipVisionConfig {
        embed_dim: 16,
        activation: candle_transformers::models::clip::text_model::Activation::QuickGelu,
        intermediate_size: 24,
        num_hidden_layers: 2,
        num_attention_heads: 2,
        projection_dim: 8,
        num_channels: 3,
        image_size: 16,
        patch_size: 8,
    }
}
