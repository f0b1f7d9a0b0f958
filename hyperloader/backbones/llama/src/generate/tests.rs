#![allow(clippy::unwrap_used, reason = "tests")]

use candle_core::Device;
use peft_core::AdapterWeights;

use super::*;
use crate::testing::{adapter, bottlenecks, build, changes_of_weights, configs, fits, fronts, input, logits, tail};
use crate::{LlamaConfig, Positions};

const PROMPTS: [&[u32]; 3] = [&[5, 9, 12, 7], &[8], &[11, 6]];

/// Greedy generation as it is defined: the whole text anew for every token.
fn naive(llama: &Llama, prompt: &[u32], count: usize, active: &ActiveAdapters<'_>) -> Vec<u32> {
    let mut text = prompt.to_vec();
    for _ in 0..count {
        let scores = tail(&logits(llama, &input(&[&text]), active), 0, 1).flatten_all().unwrap();
        let scores: Vec<f32> = scores.to_vec1().unwrap();
        let best = (0..scores.len()).max_by(|a, b| scores[*a].total_cmp(&scores[*b])).unwrap() as u32;
        text.push(best);
        if llama.config().eos_token_id.contains(&best) {
            break;
        }
    }
    text[prompt.len()..].to_vec()
}

/// A token of what is written first, so that texts end at different steps.
fn with_end(config: &LlamaConfig) -> Llama {
    let none = ActiveAdapters::none();
    let end = naive(&build(&LlamaConfig { eos_token_id: vec![], ..config.clone() }), PROMPTS[1], 3, &none)[2];
    build(&LlamaConfig { eos_token_id: vec![end], ..config.clone() })
}

#[test]
fn greedy_writes_the_likeliest_token_of_every_text() {
    for config in configs() {
        let llama = with_end(&config);
        let methods = changes_of_weights().into_iter().chain(bottlenecks()).chain(fronts());
        for method in methods.filter(|method| fits(&llama, &**method)) {
            // In a window, what is in front is farther from a padded text.
            if config.sliding_window.is_some() && fronts().iter().any(|m| m.typetag_name() == method.typetag_name()) {
                continue;
            }
            let (plan, weights) = adapter(&llama, &*method, 3);
            let active = ActiveAdapters::new(&plan, &weights).unwrap();
            let found = generate(&llama, &input(&PROMPTS), &GenerateOptions::new(8), &active).unwrap();
            let expected = PROMPTS.map(|prompt| naive(&llama, prompt, 8, &active));
            assert_eq!(found, expected, "{config:?} {method:?}");
        }
        let found = generate(&llama, &input(&PROMPTS), &GenerateOptions::new(8), &ActiveAdapters::none()).unwrap();
        assert_eq!(found, PROMPTS.map(|prompt| naive(&llama, prompt, 8, &ActiveAdapters::none())));
        assert!(
            found[1].len() <= 3 && found.iter().any(|text| text.len() > 3),
            "texts end at different steps: {found:?}"
        );
    }
}

#[test]
fn adapters_follow_their_rows_when_texts_end() {
    let llama = with_end(&LlamaConfig::small());
    for method in changes_of_weights() {
        let (plan, one) = adapter(&llama, &*method, 3);
        let other = adapter(&llama, &*method, 9).1;
        let by_row = AdapterWeights::rows(&[one.clone(), other.clone()], &[0, 0, 1]).unwrap();
        let [one, other, mixed] = [&one, &other, &by_row].map(|w| ActiveAdapters::new(&plan, w).unwrap());
        let chosen = ActiveAdapters::by_row(&[Some(0), None, Some(1)], &[one.clone(), other.clone()]).unwrap();
        let write = |active| generate(&llama, &input(&PROMPTS), &GenerateOptions::new(6), active).unwrap();
        let alone = |row: usize, active| naive(&llama, PROMPTS[row], 6, active);
        assert_eq!(write(&mixed), [alone(0, &one), alone(1, &one), alone(2, &other)], "{method:?}");
        let bare = ActiveAdapters::none();
        assert_eq!(write(&chosen), [alone(0, &one), alone(1, &bare), alone(2, &other)], "{method:?}");
    }
}

#[test]
fn padding_after_a_prompt_changes_nothing() {
    let llama = build(&LlamaConfig::small());
    let ids = Tensor::new(&[[5u32, 9, 12, 7], [8, 0, 0, 0], [11, 0, 6, 0]], &Device::Cpu).unwrap();
    let mask = Tensor::new(&[[1u32, 1, 1, 1], [1, 0, 0, 0], [1, 0, 1, 0]], &Device::Cpu).unwrap();
    let anywhere = LlamaInput::from_tensors(ids.clone(), mask).unwrap();
    let write = |input| generate(&llama, input, &GenerateOptions::new(6), &ActiveAdapters::none()).unwrap();
    assert_eq!(write(&anywhere), write(&input(&PROMPTS)));
    let nothing = LlamaInput::from_tensors(ids.clone(), ids.zeros_like().unwrap()).unwrap();
    let error = generate(&llama, &nothing, &GenerateOptions::new(6), &ActiveAdapters::none()).unwrap_err();
    assert!(error.to_string().starts_with("row 0 has no token"), "{error}");
}

#[test]
fn sampled_texts_depend_on_the_seed_and_not_on_the_other_rows() {
    let llama = build(&LlamaConfig { eos_token_id: vec![], ..LlamaConfig::small() });
    let write = |prompts: &[&[u32]], seed| {
        let options = GenerateOptions::new(12).sampling(Sampling { temperature: 2., ..Sampling::new(seed) });
        generate(&llama, &input(prompts), &options, &ActiveAdapters::none()).unwrap()
    };
    assert_eq!(write(&PROMPTS, 1), write(&PROMPTS, 1));
    assert_ne!(write(&PROMPTS, 1), write(&PROMPTS, 2));
    assert_eq!(write(&PROMPTS, 1)[..1], write(&PROMPTS[..1], 1));
    let likeliest = Sampling { top_k: Some(1), ..Sampling::new(4) };
    let greedy = |sampling| {
        let options = GenerateOptions::new(6).sampling(sampling);
        generate(&llama, &input(&PROMPTS), &options, &ActiveAdapters::none()).unwrap()
    };
    assert_eq!(greedy(likeliest), greedy(Sampling::greedy()));
    let bad = GenerateOptions::new(1).sampling(Sampling { top_p: 2., ..Sampling::new(0) });
    assert!(generate(&llama, &input(&PROMPTS), &bad, &ActiveAdapters::none()).is_err());
}

#[test]
fn the_end_of_a_text_is_the_models_or_the_callers() {
    let llama = with_end(&LlamaConfig::small());
    let write = |options: &GenerateOptions| {
        let prompts = input(&PROMPTS).with_positions(Positions::Tokens);
        generate(&llama, &prompts, options, &ActiveAdapters::none()).unwrap()
    };
    let own = write(&GenerateOptions::new(8));
    assert_eq!(own[1].last(), llama.config().eos_token_id.first());
    let endless = write(&GenerateOptions::new(8).eos([]));
    assert!(endless.iter().all(|text| text.len() == 8) && endless[1].starts_with(&own[1]));
    assert_eq!(write(&GenerateOptions::new(0)), vec![Vec::<u32>::new(); 3]);
}
