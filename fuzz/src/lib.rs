//! What the fuzz targets do with a fuzzer's bytes. The plain test `corpora` does the same with the seeds, so that they
//! hold where no fuzzer can be had.

pub mod answers;
pub mod decode;
pub mod limits;
pub mod reader;
pub mod request;
