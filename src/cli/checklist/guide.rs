//! `scrutineer checklist guide`: the observers' printed guide, a file for each checklist, language and size.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::Context;

use super::check;
use crate::domain::checklist::Checklist;
use crate::guide::{self, Options, Size, Words};

/// Digits of an observer code, where nothing says how many.
const OBSERVER_DIGITS: u8 = 6;
/// Names under which Chromium is found.
const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Checklist file (JSON)
    file: PathBuf,
    /// Languages, separated by commas; without it each language of the checklist
    #[arg(long, short, value_delimiter = ',')]
    language: Vec<String>,
    /// Paper: a4; pocket, an A4 sheet to fold, four panels a side; a6, four pages on a sheet
    #[arg(long, value_delimiter = ',', value_parser = ["a4", "pocket", "a6"], default_values = ["a4", "pocket"])]
    size: Vec<String>,
    /// Folder for the files
    #[arg(long, short, default_value = ".")]
    out: PathBuf,
    /// Number that observers text to; without it there is a line to write it on
    #[arg(long, value_parser = short)]
    number: Option<String>,
    /// Number to call in danger; without it there is a line to write it on
    #[arg(long, value_parser = short)]
    call: Option<String>,
    /// Election's name, for the head of the page
    #[arg(long, value_parser = long)]
    election: Option<String>,
    /// Digits of an observer code
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=20))]
    observer_digits: Option<u8>,
    /// Folder of further languages' fixed words, each as LANGUAGE.toml
    #[arg(long, value_name = "FOLDER")]
    words: Option<PathBuf>,
    /// Make PDF too; needs Chromium
    #[arg(long)]
    pdf: bool,
}

fn short(text: &str) -> Result<String, String> {
    bounded(text, 30)
}

fn long(text: &str) -> Result<String, String> {
    bounded(text, 120)
}

fn bounded(text: &str, max: usize) -> Result<String, String> {
    let count = text.trim().chars().count();
    if count == 0 || count > max { Err(format!("must have 1 to {max} characters")) } else { Ok(text.trim().to_owned()) }
}

/// Runs the command.
pub(super) fn main(args: &Args) -> ExitCode {
    match run(args) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let checked = match check::load(&args.file)? {
        Ok(checked) => checked,
        Err(faults) => {
            check::print_faults(&args.file, &faults);
            return Ok(ExitCode::FAILURE);
        }
    };
    let words = words(args.words.as_deref())?;
    let browser = if args.pdf { Some(browser()?) } else { None };
    let digits = args.observer_digits.or(checked.observer_digits).unwrap_or(OBSERVER_DIGITS);
    std::fs::create_dir_all(&args.out).with_context(|| format!("{} can't be made", args.out.display()))?;
    for checklist in &checked.checklists {
        for language in languages(checklist, args) {
            let words = fixed_words(&words, checklist, &language)?;
            for size in Size::ALL.into_iter().filter(|s| args.size.iter().any(|w| w == s.as_str())) {
                let options = Options {
                    size,
                    observer_digits: digits,
                    number: args.number.clone(),
                    call: args.call.clone(),
                    election: args.election.clone(),
                };
                let page = guide::render(checklist, &words, &options).with_context(|| checklist.prefix.clone())?;
                let file = args.out.join(format!("{}-{language}-{}.html", checklist.prefix, size.as_str()));
                std::fs::write(&file, page).with_context(|| format!("{} can't be written", file.display()))?;
                println!("{}", file.display());
                if let Some(browser) = &browser {
                    println!("{}", pdf(browser, &file)?.display());
                }
            }
        }
    }
    if browser.is_none() {
        eprintln!(
            "To print: open a file in a browser and print it at 100 %, without the browser's headers and footers."
        );
    }
    if args.size.iter().any(|s| s == "pocket") {
        eprintln!("Pocket: print on both sides, turned over the short edge, and fold where the dashes run.");
    }
    Ok(ExitCode::SUCCESS)
}

fn languages(checklist: &Checklist, args: &Args) -> Vec<String> {
    if args.language.is_empty() { guide::languages(checklist).into_iter().collect() } else { args.language.clone() }
}

/// The fixed words of a language, else the English ones, which is said.
fn fixed_words(all: &BTreeMap<String, Words>, checklist: &Checklist, language: &str) -> anyhow::Result<Words> {
    let missing = guide::untranslated(checklist, language);
    if missing > 0 {
        eprintln!(
            "{}: {missing} of its texts are not there in `{language}`; they are printed in another language",
            checklist.prefix
        );
    }
    if let Some(words) = all.get(language) {
        return Ok(words.clone());
    }
    eprintln!("no fixed words in `{language}`: they are printed in English; give them with --words FOLDER");
    let english = all.get("en").context("the English words are missing")?;
    Ok(Words { language: language.to_owned(), ..english.clone() })
}

/// The shipped words, and those of a folder before them.
fn words(folder: Option<&Path>) -> anyhow::Result<BTreeMap<String, Words>> {
    let mut all = Words::shipped()?;
    let Some(folder) = folder else { return Ok(all) };
    let entries = std::fs::read_dir(folder).with_context(|| format!("{} can't be read", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        let (Some(language), Some("toml")) =
            (path.file_stem().and_then(|s| s.to_str()), path.extension().and_then(|e| e.to_str()))
        else {
            continue;
        };
        let text = std::fs::read_to_string(&path).with_context(|| format!("{} can't be read", path.display()))?;
        all.insert(language.to_owned(), Words::parse(language, &text)?);
    }
    Ok(all)
}

/// Where Chromium is.
fn browser() -> anyhow::Result<PathBuf> {
    std::env::var_os("PATH")
        .iter()
        .flat_map(std::env::split_paths)
        .flat_map(|folder| BROWSERS.map(|name| folder.join(name)))
        .find(|path| path.is_file())
        .with_context(|| {
            format!("no Chromium found ({}): install it, or print the HTML file from any browser", BROWSERS.join(", "))
        })
}

/// Prints a page to PDF, beside it.
fn pdf(browser: &Path, page: &Path) -> anyhow::Result<PathBuf> {
    let page = page.canonicalize()?;
    let out = page.with_extension("pdf");
    let profile = std::env::temp_dir().join(format!("scrutineer-guide-{}", std::process::id()));
    let done = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"])
        .args(["--disable-component-update", "--disable-sync", "--no-pdf-header-footer"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("--print-to-pdf={}", out.display()))
        .arg(format!("file://{}", page.display()))
        .output();
    let _ = std::fs::remove_dir_all(&profile);
    let done = done.with_context(|| format!("{} can't be started", browser.display()))?;
    anyhow::ensure!(
        done.status.success() && out.is_file(),
        "{} made no PDF: {}",
        browser.display(),
        String::from_utf8_lossy(&done.stderr).lines().last().unwrap_or_default()
    );
    Ok(out)
}
