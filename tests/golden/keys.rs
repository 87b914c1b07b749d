//! No key of the JSON is data: what indexes records would make a field of each.

use std::fs;

use serde_json::Value;

use crate::list::captures;

fn keys(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                found.push(key.clone());
                keys(value, found);
            }
        }
        Value::Array(array) => array.iter().for_each(|value| keys(value, found)),
        _ => {}
    }
}

pub(crate) fn no_key_of_the_json_is_data() {
    let mut found = Vec::new();
    for entry in fs::read_dir(captures().join("expected")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            for line in fs::read_to_string(&path).unwrap().lines() {
                // The sizes of tables are left out.
                keys(&serde_json::from_str(&line.replace("SIZE", "0")).unwrap(), &mut found);
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    assert!(found.len() > 50, "{found:?}");
    let is_name = |key: &str| {
        key.starts_with(|c: char| c.is_ascii_lowercase())
            && key.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c))
    };
    let data: Vec<_> = found.iter().filter(|key| !is_name(key)).collect();
    assert!(data.is_empty(), "{data:?}");
}
