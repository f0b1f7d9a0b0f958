//! Encoders of text, and encoder-decoders.

use candle_core::{DType, Device, Tensor};
use candle_transformers::models::{bert, debertav2, distilbert, modernbert, t5, xlm_roberta};

use super::{Family, config, ones, tokens};

const LENGTH: usize = 6;

/// BERT and its relatives, T5.
pub(super) fn families() -> Vec<Family> {
    vec![
        Family {
            name: "bert",
            batch: 2,
            load: |vb, batch| {
                let config: bert::Config = config(
                    r#"{"vocab_size": 20, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24,
                    "hidden_act": "gelu", "hidden_dropout_prob": 0.0, "max_position_embeddings": 8, "type_vocab_size": 2,
                    "initializer_range": 0.02, "layer_norm_eps": 1e-5, "pad_token_id": 0, "classifier_dropout": null,
                    "model_type": "bert"}"#,
                )?;
                let (model, ids) = (bert::BertModel::load(vb, &config)?, tokens(batch, LENGTH)?);
                Ok(Box::new(move || model.forward(&ids, &ids.zeros_like()?, None)))
            },
        },
        Family {
            name: "distilbert",
            batch: 2,
            load: |vb, batch| {
                let config: distilbert::Config = config(
                    r#"{"vocab_size": 20, "dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 24, "activation": "gelu",
                    "max_position_embeddings": 8, "initializer_range": 0.02, "pad_token_id": 0, "model_type": "distilbert"}"#,
                )?;
                let (model, ids) = (distilbert::DistilBertModel::load(vb, &config)?, tokens(batch, LENGTH)?);
                // This model's mask is 1 where a token is hidden, for each query.
                let mask = Tensor::zeros((batch, 1, 1, LENGTH), DType::U8, &Device::Cpu)?;
                Ok(Box::new(move || model.forward(&ids, &mask)))
            },
        },
        Family {
            name: "modernbert",
            batch: 2,
            load: |vb, batch| {
                let config: modernbert::Config = config(
                    r#"{"vocab_size": 20, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24,
                    "max_position_embeddings": 16, "layer_norm_eps": 1e-5, "pad_token_id": 0, "global_attn_every_n_layers": 2,
                    "global_rope_theta": 10000.0, "local_attention": 4, "local_rope_theta": 1000.0}"#,
                )?;
                let (model, ids) = (modernbert::ModernBert::load(vb, &config)?, tokens(batch, LENGTH)?);
                Ok(Box::new(move || model.forward(&ids, &ones(batch, LENGTH)?)))
            },
        },
        Family {
            name: "xlm_roberta",
            batch: 2,
            load: |vb, batch| {
                let config: xlm_roberta::Config = config(
                    r#"{"hidden_size": 16, "layer_norm_eps": 1e-5, "attention_probs_dropout_prob": 0.0, "hidden_dropout_prob": 0.0,
                    "num_attention_heads": 2, "position_embedding_type": "absolute", "intermediate_size": 24, "hidden_act": "gelu",
                    "num_hidden_layers": 2, "vocab_size": 20, "max_position_embeddings": 12, "type_vocab_size": 1,
                    "pad_token_id": 1}"#,
                )?;
                let (model, ids) = (xlm_roberta::XLMRobertaModel::new(&config, vb)?, tokens(batch, LENGTH)?);
                Ok(Box::new(move || model.forward(&ids, &ones(batch, LENGTH)?, &ids.zeros_like()?, None, None, None)))
            },
        },
        Family {
            name: "debertav2",
            batch: 2,
            load: |vb, batch| {
                let config: debertav2::Config = config(
                    r#"{"vocab_size": 20, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24,
                    "hidden_act": "gelu", "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0,
                    "max_position_embeddings": 16, "type_vocab_size": 0, "initializer_range": 0.02, "layer_norm_eps": 1e-5,
                    "relative_attention": true, "max_relative_positions": -1, "pad_token_id": 0, "position_biased_input": false,
                    "pos_att_type": "p2c|c2p", "position_buckets": 8, "share_att_key": true, "norm_rel_ebd": "layer_norm"}"#,
                )?;
                let (model, ids) = (debertav2::DebertaV2Model::load(vb, &config)?, tokens(batch, LENGTH)?);
                Ok(Box::new(move || model.forward(&ids, None, None)))
            },
        },
        Family {
            name: "t5",
            batch: 2,
            load: |vb, batch| {
                let config: t5::Config = config(T5)?;
                let mut model = t5::T5ForConditionalGeneration::load(vb, &config)?;
                let (ids, labels) = (tokens(batch, LENGTH)?, tokens(batch, 4)?);
                Ok(Box::new(move || {
                    model.clear_kv_cache();
                    model.forward(&ids, &labels)
                }))
            },
        },
        Family {
            name: "t5, encoder",
            batch: 2,
            load: |vb, batch| {
                let config: t5::Config = config(T5)?;
                let (mut model, ids) = (t5::T5EncoderModel::load(vb, &config)?, tokens(batch, LENGTH)?);
                Ok(Box::new(move || model.forward(&ids)))
            },
        },
    ]
}

const T5: &str = r#"{"vocab_size": 20, "d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 2, "num_decoder_layers": 2, "num_heads": 2,
    "relative_attention_num_buckets": 8, "dropout_rate": 0.0, "layer_norm_epsilon": 1e-6, "initializer_factor": 1.0,
    "feed_forward_proj": "relu", "is_encoder_decoder": true, "use_cache": false, "pad_token_id": 0, "eos_token_id": 1,
    "decoder_start_token_id": 0}"#;
