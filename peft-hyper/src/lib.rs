//! One conditional hypernetwork that generates the weights of any PEFT method.
//!
//! The main type is [`HyperConfig`], `generator = "hypernetwork"`. The network sees a plan's entries as (stack, layer,
//! position, weight name, shape) and nothing else, so a method of anybody's crate is generated without a change here.
//!
//! ```
//! use candle_core::Device;
//! use peft_core::toy::{Scale, toy_sites};
//! use peft_core::{Condition, GeneratorConfig, ParamStore, PeftConfig, Plan, TargetModules, Tasks};
//! use peft_hyper::HyperConfig;
//!
//! let methods: Vec<Box<dyn PeftConfig>> = vec![Box::new(Scale { target_modules: TargetModules::AllLinear })];
//! let plan = Plan::resolve(&toy_sites(2, 8), &methods)?;
//! let tasks = Tasks::new(["entities", "slots"]);
//!
//! let store = ParamStore::new(42, &Device::Cpu);
//! let generator = HyperConfig::default().build(&plan, &tasks, store.var_builder())?;
//! let weights = generator.generate(&Condition::Task(tasks.index("slots")?))?;
//! // A scale begins at one, generated or not.
//! assert_eq!(weights.of_target(0)[0].to_vec1::<f32>()?, [1.; 8]);
//! # Ok::<(), peft_core::Error>(())
//! ```
//!
//! # Names
//!
//! `hyper.tasks.<task>` are the task embeddings, shared by the stacks. Each stack has, under `hyper.<stack>`:
//! `layer_embed`, `position_embed`, `mlp1.{weight,bias}`, `mlp2.{weight,bias}`, `norm.{weight,bias}` and for every kind of
//! weight `heads.<weight name>.<shape>.{weight,bias}`, for example `hyper.decoder.heads.lora_A.weight.8x768.weight`.

mod config;
mod head;
mod network;
mod stack;

pub use config::HyperConfig;
