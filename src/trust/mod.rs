//! Trust: which roots devices know, what a certificate says of itself, and what devices
//! make of a chain. Server and probe judge by the same facts.

pub(crate) mod bundle;
pub(crate) mod certificate;
mod chain;

pub(crate) use chain::{ChainFault, End, Unable, Weakness, judge};
