//! Steps on a real RocksDB: records in, outputs and changes out, each step applied as a commit would.

mod bound;
mod dead_letter;
mod effect;
mod split;
mod timing;
mod world;
