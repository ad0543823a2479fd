//! The H(e)MS: the management system that brings small cells into service.

pub mod config;
mod plan;
mod pool;
mod radio;
mod store;
mod template;

pub use config::{Config, ConfigErrors};
pub use store::StoreError;
