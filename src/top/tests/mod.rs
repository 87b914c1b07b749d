//! Tests of the whole picture, of keys, and of any sequence of both.

mod frames;
mod sequences;
mod snapshots;
mod states;
