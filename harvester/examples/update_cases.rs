//! Writes what the cases of every mapping become: to be read before it is committed.

#![allow(clippy::print_stdout, reason = "a program for people that write mappings")]

#[path = "../tests/support/case.rs"]
mod case;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    for mapping in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/mappings"))? {
        let mapping = mapping?.path();
        let name = mapping.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let Ok(cases) = std::fs::read_dir(mapping.join("cases")) else { continue };
        for input in cases {
            let input = input?.path();
            let file = input.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
            let Some((case, _)) = file.split_once(".input.") else { continue };
            let found = case::outcome(&name, &input).await;
            std::fs::write(input.with_file_name(format!("{case}.expected.json")), format!("{found:#}\n"))?;
            println!("{name}/{case}");
        }
    }
    Ok(())
}
