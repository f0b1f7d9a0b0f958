//! Decoders of text.

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::{
    falcon, gemma, gemma2, gemma3, llama, llama2_c, mamba, mistral, phi, phi3, qwen2, qwen3,
};

use super::{Family, Forward, config, tokens};

const LENGTH: usize = 5;

/// Llama and its relatives, Mamba.
pub(super) fn families() -> Vec<Family> {
    vec![
        Family { name: "llama", batch: 2, load: load_llama },
        Family {
            name: "llama2_c",
            batch: 2,
            load: |vb, batch| {
                let config = llama2_c::Config {
                    dim: 16,
                    hidden_dim: 24,
                    n_layers: 2,
                    n_heads: 2,
                    n_kv_heads: 1,
                    vocab_size: 20,
                    seq_len: 16,
                    norm_eps: 1e-5,
                };
                let mut cache = llama2_c::Cache::new(false, &config, vb.clone())?;
                let (model, ids) = (llama2_c::Llama::load(vb, config)?, tokens(batch, LENGTH)?);
                Ok(Box::new(move || model.forward(&ids, 0, &mut cache)))
            },
        },
        Family {
            name: "qwen2",
            batch: 2,
            load: |vb, batch| {
                let (mut model, ids) = (qwen2::Model::new(&config(QWEN)?, vb)?, tokens(batch, LENGTH)?);
                Ok(Box::new(move || {
                    model.clear_kv_cache();
                    model.forward(&ids, 0, None)
                }))
            },
        },
        Family {
            name: "qwen3",
            batch: 2,
            load: |vb, batch| {
                let (mut model, ids) = (qwen3::ModelForCausalLM::new(&config(QWEN)?, vb)?, tokens(batch, LENGTH)?);
                Ok(Box::new(move || {
                    model.clear_kv_cache();
                    model.forward(&ids, 0)
                }))
            },
        },
        Family {
            name: "gemma",
            batch: 2,
            load: |vb, batch| {
                let (mut model, ids) = (gemma::Model::new(false, &config(GEMMA)?, vb)?, tokens(batch, LENGTH)?);
                Ok(Box::new(move || {
                    model.clear_kv_cache();
                    model.forward(&ids, 0)
                }))
            },
        },
        Family {
            name: "gemma2",
            batch: 2,
            load: |vb, batch| {
                let (mut model, ids) = (gemma2::Model::new(false, &config(GEMMA)?, vb)?, tokens(batch, LENGTH)?);
                Ok(Box::new(move || {
                    model.clear_kv_cache();
                    model.forward(&ids, 0)
                }))
            },
        },
        Family {
            name: "gemma3",
            batch: 2,
            load: |vb, batch| {
                let (mut model, ids) = (gemma3::Model::new(false, &config(GEMMA)?, vb)?, tokens(batch, LENGTH)?);
                Ok(Box::new(move || {
                    model.clear_kv_cache();
                    model.forward(&ids, 0)
                }))
            },
        },
        Family { name: "mistral", batch: 2, load: load_mistral },
        Family { name: "mistral", batch: 1, load: load_mistral },
        Family {
            name: "phi",
            batch: 2,
            load: |vb, batch| {
                let config: phi::Config = config(
                    r#"{"vocab_size": 20, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
                    "num_key_value_heads": 2, "hidden_act": "gelu_new", "max_position_embeddings": 16, "layer_norm_eps": 1e-5,
                    "tie_word_embeddings": false, "rope_theta": 10000.0, "partial_rotary_factor": 0.5, "qk_layernorm": false}"#,
                )?;
                let (mut model, ids) = (phi::Model::new(&config, vb)?, tokens(batch, LENGTH)?);
                Ok(Box::new(move || {
                    model.clear_kv_cache();
                    model.forward(&ids)
                }))
            },
        },
        Family {
            name: "phi3",
            batch: 2,
            load: |vb, batch| {
                let config: phi3::Config = config(
                    r#"{"vocab_size": 20, "hidden_act": "silu", "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
                    "num_attention_heads": 2, "num_key_value_heads": 1, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
                    "max_position_embeddings": 16}"#,
                )?;
                let (mut model, ids) = (phi3::Model::new(&config, vb)?, tokens(batch, LENGTH)?);
                Ok(Box::new(move || {
                    model.clear_kv_cache();
                    model.forward(&ids, 0)
                }))
            },
        },
        Family {
            name: "falcon",
            // Its code takes one sequence.
            batch: 1,
            load: |vb, batch| {
                let config: falcon::Config = config(
                    r#"{"vocab_size": 20, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "layer_norm_epsilon": 1e-5,
                    "initializer_range": 0.02, "use_cache": false, "bos_token_id": 0, "eos_token_id": 1, "hidden_dropout": 0.0,
                    "attention_dropout": 0.0, "n_head_kv": null, "alibi": false, "new_decoder_architecture": false,
                    "multi_query": true, "parallel_attn": true, "bias": false}"#,
                )?;
                let (mut model, ids) = (falcon::Falcon::load(vb, config)?, tokens(batch, LENGTH)?);
                Ok(Box::new(move || {
                    model.clear_kv_cache();
                    model.forward(&ids)
                }))
            },
        },
        Family {
            name: "mamba",
            // Its code takes one sequence.
            batch: 1,
            load: |vb, batch| {
                let config: mamba::Config =
                    config(r#"{"d_model": 16, "n_layer": 2, "vocab_size": 20, "pad_vocab_size_multiple": 4}"#)?;
                let (model, ids) = (mamba::Model::new(&config, vb)?, tokens(batch, LENGTH)?);
                Ok(Box::new(move || {
                    // It reads one token of each sequence at a time.
                    let mut state = mamba::State::new(batch, &config, DType::F32, &Device::Cpu)?;
                    let outputs = (0..LENGTH).map(|i| model.forward(&ids.narrow(1, i, 1)?.squeeze(1)?, &mut state));
                    Tensor::stack(&outputs.collect::<Result<Vec<_>>>()?, 1)
                }))
            },
        },
    ]
}

fn load_llama(vb: VarBuilder<'static>, batch: usize) -> Result<Forward> {
    let config = llama::Config {
        hidden_size: 16,
        intermediate_size: 24,
        vocab_size: 20,
        num_hidden_layers: 2,
        num_attention_heads: 2,
        num_key_value_heads: 1,
        use_flash_attn: false,
        rms_norm_eps: 1e-5,
        rope_theta: 1e4,
        bos_token_id: None,
        eos_token_id: None,
        rope_scaling: None,
        max_position_embeddings: 16,
        tie_word_embeddings: false,
    };
    let mut cache = llama::Cache::new(false, DType::F32, &config, &Device::Cpu)?;
    let (model, ids) = (llama::Llama::load(vb, &config)?, tokens(batch, LENGTH)?);
    Ok(Box::new(move || model.forward(&ids, 0, &mut cache)))
}

fn load_mistral(vb: VarBuilder<'static>, batch: usize) -> Result<Forward> {
    let config: mistral::Config = config(
        r#"{"vocab_size": 20, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
        "num_key_value_heads": 1, "hidden_act": "silu", "max_position_embeddings": 16, "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0, "sliding_window": 4, "use_flash_attn": false}"#,
    )?;
    let (mut model, ids) = (mistral::Model::new(&config, vb)?, tokens(batch, LENGTH)?);
    Ok(Box::new(move || {
        model.clear_kv_cache();
        model.forward(&ids, 0)
    }))
}

const QWEN: &str = r#"{"vocab_size": 20, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 1, "head_dim": 8, "attention_bias": false, "max_position_embeddings": 16, "sliding_window": 16,
    "max_window_layers": 0, "tie_word_embeddings": false, "rope_theta": 10000.0, "rms_norm_eps": 1e-5, "use_sliding_window": false,
    "hidden_act": "silu"}"#;

const GEMMA: &str = r#"{"attention_bias": false, "head_dim": 8,
    "hidden_activation": "gelu_pytorch_tanh", "hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 2,
    "num_hidden_layers": 2, "num_key_value_heads": 1, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "rope_local_base_freq": 10000.0,
    "vocab_size": 20, "final_logit_softcapping": 30.0, "attn_logit_softcapping": 50.0, "query_pre_attn_scalar": 8,
    "sliding_window": 8, "sliding_window_pattern": 2, "max_position_embeddings": 16}"#;
