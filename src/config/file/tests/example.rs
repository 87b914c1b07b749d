//! The example configuration, contrib/synwatch.toml.

use super::*;

use std::collections::BTreeMap;

/// The keys that the example has as comments, by line.
fn example() -> (String, BTreeMap<usize, String>) {
    let text = include_str!("../../../../contrib/synwatch.toml").to_owned();
    let keys = text.lines().enumerate().filter_map(|(number, line)| {
        let (key, _) = line.strip_prefix('#')?.split_once(" = ")?;
        (!key.starts_with(' ')).then(|| (number, key.to_owned()))
    });
    let keys = keys.collect();
    (text, keys)
}

#[test]
fn the_example_shows_every_key_and_its_default_is_the_programs() {
    let (text, commented) = example();
    let without = Settings::new(Cli::read(["synwatch", "-i", "any"]).unwrap()).unwrap();
    assert_eq!(settings(&text, ""), Ok(without.clone()), "as it is");

    let command = Cli::command();
    for (name, option) in KEYS
        .iter()
        .map(|key| (key.name, key.option))
        .chain(WATCH_KEYS.iter().map(|key| (key.name, key.option)))
    {
        let shown = commented.iter().find(|(_, key)| *key == name);
        let Some((number, _)) = shown else {
            assert!(text.contains(&format!("\n{name} = ")), "contrib/synwatch.toml does not show {name}");
            continue;
        };
        // These keys need another one.
        let needed: &[&str] = match name {
            "stats_interval" => &["json"],
            "gateway" | "fleet_password_file" | "fleet_ca" => &["fleet"],
            "fleet_cert" | "fleet_key" => &["fleet", "fleet_cert", "fleet_key"],
            _ => &[name.strip_suffix("_notify").unwrap_or(name)],
        };
        let lines = text.lines().enumerate().map(|(at, line)| match commented.get(&at) {
            Some(key) if at == *number || needed.contains(&key.as_str()) => &line[1..],
            _ => line,
        });
        let mut said =
            settings(&lines.collect::<Vec<_>>().join("\n"), "").map_err(|errors| errors.join("\n"));
        if name == "allow_files" {
            assert!(said.unwrap_err().contains("cannot read allow-file"), "there is none beside it");
            continue;
        }
        let option = command.get_arguments().find(|known| known.get_id() == option).unwrap();
        let has_default = !option.get_default_values().is_empty() || !option.get_action().takes_values();
        if !has_default {
            let said = said.as_mut().unwrap();
            assert_ne!(*said, without, "{name} is an example of what can be said");
            continue;
        }
        assert_eq!(said, Ok(without.clone()), "{name} is shown with its default");
    }
}
