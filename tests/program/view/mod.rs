//! `synwatch top` on a terminal: tmux is the terminal, and a socket of the test is the service.

mod panic;
mod screen;
mod service;
mod terminal;
