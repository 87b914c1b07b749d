//! The program as a user runs it, on captures and files: options, configuration, output, actions, rights. The files and
//! pages that come with it say what it does. No network but loopback.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod actions;
mod assets;
mod config;
mod container;
mod deep;
mod docs;
mod evidence;
mod journal;
mod metrics;
mod names;
mod picture;
mod privileges;
mod real;
mod service;
mod suggest;
mod top;
mod view;
