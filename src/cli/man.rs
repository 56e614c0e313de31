//! `scrutineer man` (hidden): writes the man pages, one a verb, that of the configuration file, and the
//! shells' completions, as the package ships them. All are made of what the program itself says.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap_complete::Shell;

use crate::role::support;

/// The configuration as it is shipped: each key's comment is its description.
const CONFIGURATION: &str = include_str!("../../config/scrutineer.toml");
/// The name of the program.
const NAME: &str = "scrutineer";
/// What scrutineer(1) says after the verbs.
const MORE: &str = include_str!("man/more.roff");

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder that they are written into: `man/` and `completions/`
    folder: PathBuf,
}

/// Runs the command; `program` is the whole command line.
pub fn main(program: clap::Command, args: &Args) -> ExitCode {
    write(program, &args.folder).map_or_else(|error| support::report(&error), |()| ExitCode::SUCCESS)
}

fn write(mut program: clap::Command, folder: &Path) -> anyhow::Result<()> {
    let (man, completions) = (folder.join("man"), folder.join("completions"));
    for folder in [&man, &completions] {
        std::fs::create_dir_all(folder).with_context(|| format!("can't make {}", folder.display()))?;
    }
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        // Bash's has the program's name alone, as its folder asks for.
        let path = clap_complete::generate_to(shell, &mut program, NAME, &completions)?;
        if shell == Shell::Bash {
            std::fs::rename(path, completions.join(NAME))?;
        }
    }
    program.build();
    pages(&program, &man)?;
    let file = man.join("scrutineer.toml.5");
    std::fs::write(&file, configuration(CONFIGURATION)).with_context(|| format!("can't write {}", file.display()))
}

/// A page for a command and each below it, `scrutineer-election-create.1` and so on.
fn pages(command: &clap::Command, folder: &Path) -> anyhow::Result<()> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    // The date of a build would make each build differ.
    let page = clap_mangen::Man::new(command.clone()).date("").manual("Scrutineer");
    let mut text = Vec::new();
    page.render(&mut text)?;
    if name == NAME {
        text.extend_from_slice(MORE.as_bytes());
    }
    let file = folder.join(format!("{name}.1"));
    std::fs::write(&file, text).with_context(|| format!("can't write {}", file.display()))?;
    let below = command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help");
    below.into_iter().try_for_each(|below| pages(below, folder))
}

/// scrutineer.toml(5), of the file's sections, keys and comments.
fn configuration(file: &str) -> String {
    let mut page = String::from(
        ".TH SCRUTINEER.TOML 5 \"\" \"scrutineer\" \"Scrutineer\"\n.SH NAME\nscrutineer.toml \\- configuration of Scrutineer\n\
         .SH DESCRIPTION\n",
    );
    let mut comment: Vec<&str> = Vec::new();
    let mut begun = false;
    for line in file.lines() {
        let bare = line.strip_prefix('#').unwrap_or(line);
        let is_text = line.starts_with("# ") || line == "#";
        if is_text {
            comment.push(bare.trim());
        } else if let Some(section) = bare.strip_prefix('[') {
            let section = section.trim_matches(['[', ']']);
            if !begun {
                page.push_str(&text(&comment));
            }
            page.push_str(&format!(".SH [{}]\n", escape(section)));
            if begun {
                page.push_str(&text(&comment));
            }
            begun = true;
            comment.clear();
        } else if let Some((key, value)) = bare.split_once(" = ") {
            let value = escape(value);
            let shown = if line.starts_with('#') { format!(" (for example {value})") } else { format!(" = {value}") };
            page.push_str(&format!(".TP\n\\fB{}\\fR{shown}\n", escape(key)));
            page.push_str(&text(&comment));
            comment.clear();
        } else if !begun {
            page.push_str(&text(&comment));
            page.push_str(".PP\n");
            comment.clear();
        } else {
            comment.clear();
        }
    }
    page.push_str(".SH SEE ALSO\n.BR scrutineer (1),\n.BR scrutineer-config (1)\n");
    page
}

/// Lines of a comment as running text; headings drawn with dashes are left out, and what is indented
/// stands by itself.
fn text(comment: &[&str]) -> String {
    let mut out = String::new();
    for line in comment.iter().filter(|line| !line.starts_with("----")) {
        match line.is_empty() {
            true => out.push_str(".PP\n"),
            false => {
                out.push_str(&escape(line));
                out.push('\n');
            }
        }
    }
    out
}

/// So that no line is taken for a request of roff.
fn escape(line: &str) -> String {
    let line = line.replace('\\', "\\e").replace('-', "\\-");
    if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_of_the_file_is_in_its_page_with_its_comment() {
        let page = configuration(CONFIGURATION);
        let keys = CONFIGURATION.lines().filter(|line| !line.starts_with("# "));
        let keys: Vec<&str> =
            keys.filter_map(|line| line.trim_start_matches('#').split_once(" = ")).map(|k| k.0).collect();
        assert!(keys.len() > 50, "{keys:?}");
        for key in keys {
            assert!(page.contains(&format!(".TP\n\\fB{key}\\fR")), "{key}");
        }
        assert!(page.contains("\\fBlanes\\fR = 4\nLanes, each with one database connection"), "{page}");
        assert!(page.contains(".SH [database.worker]\nA member of scrutineer_worker."), "{page}");
        assert!(!page.contains("----"));
    }

    #[test]
    fn a_line_that_begins_with_a_dot_is_text() {
        assert_eq!(escape(".TP -\\"), "\\&.TP \\-\\e");
    }
}
