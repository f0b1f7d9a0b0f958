//! Compacter: adapters whose projections are sums of Kronecker products.

mod config;
mod module;
mod phm;
mod setters;

#[cfg(test)]
mod tests;

pub use config::CompacterConfig;
