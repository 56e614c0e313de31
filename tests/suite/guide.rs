//! The observers' printed guide, as the command makes it; in a real browser nothing leaves its page.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::support::process::PROGRAM;
use super::support::{dir, source};

/// Questions of a long checklist.
const LONG: usize = 60;

fn run(folder: &Path, file: &Path, args: &[&str]) -> Output {
    Command::new(PROGRAM).args(["checklist", "guide"]).arg(file).arg("--out").arg(folder).args(args).output().unwrap()
}

fn example(name: &str) -> PathBuf {
    source::root().join("schemas/examples").join(name)
}

/// Sixty questions with long options, one of them a single endless word.
fn long(folder: &Path) -> PathBuf {
    let options = [
        "Very good: procedures were known and followed throughout the day",
        "Weak",
        "The integrity of the vote was in doubt, and complaints were made",
        "Donaudampfschifffahrtselektrizitätenhauptbetriebswerk",
    ];
    // AM and PM are halves of a day.
    let letters: Vec<char> = ('A'..='Z').filter(|letter| *letter != 'M').collect();
    let questions: Vec<serde_json::Value> = (0..LONG)
        .map(|i| {
            let code = format!("{}{}", letters[i / 20], letters[i % 20]);
            let text = serde_json::json!({
                "en": "How would you rate the work of the polling officials during the whole day, taking everything into account?",
                "ar": "كيف تقيّم عمل موظفي الاقتراع طوال اليوم مع أخذ كل شيء في الحسبان؟",
            });
            match i % 3 {
                0 => serde_json::json!({"code": code, "text": text, "type": "count", "max": 99_999_999, "section": format!("Part {}", i / 20)}),
                1 => serde_json::json!({"code": code, "text": text, "type": "time", "null_value": 9999, "required": false}),
                _ => {
                    let options: serde_json::Map<_, _> =
                        options.iter().enumerate().map(|(n, o)| ((n + 1).to_string(), serde_json::json!(o))).collect();
                    serde_json::json!({"code": code, "text": text, "type": "multi_choice", "options": options})
                }
            }
        })
        .collect();
    let file = folder.join("long.json");
    let checklist = serde_json::json!({"prefix": "LG", "title": {"en": "The whole day", "ar": "اليوم كله"}, "questions": questions});
    std::fs::write(&file, checklist.to_string()).unwrap();
    file
}

#[test]
fn a_checklist_gives_a_page_a_language_and_size() {
    let folder = dir::fresh();
    let done = run(folder.path(), &example("opening.json"), &["--size", "a4,pocket,a6", "--number", "20300"]);
    let said = String::from_utf8(done.stdout).unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let names: Vec<&str> = said.lines().filter_map(|l| Path::new(l).file_name()?.to_str()).collect();
    let expected = ["en-a4", "en-pocket", "en-a6", "fr-a4", "fr-pocket", "fr-a6"].map(|n| format!("PS-{n}.html"));
    assert_eq!(names, expected);
    let page = std::fs::read_to_string(folder.path().join("PS-fr-a4.html")).unwrap();
    assert!(page.contains("A quelle heure êtes-vous arrivé?") && page.contains("20300"));
    assert!(String::from_utf8_lossy(&done.stderr).contains("To print"));
}

#[test]
fn a_language_without_fixed_words_is_said_and_can_be_given() {
    let folder = dir::fresh();
    let done = run(folder.path(), &example("opening.json"), &["--language", "sq"]);
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success() && said.contains("no fixed words in `sq`") && said.contains("--words"), "{said}");
    let words = folder.path().join("words");
    std::fs::create_dir(&words).unwrap();
    let english = std::fs::read_to_string(source::root().join("config/guide/en.toml")).unwrap();
    std::fs::write(words.join("sq.toml"), english.replace("Observer's guide", "Udhëzues")).unwrap();
    let done = run(folder.path(), &example("opening.json"), &["--language", "sq", "--words", words.to_str().unwrap()]);
    assert!(done.status.success() && !String::from_utf8_lossy(&done.stderr).contains("no fixed words"));
    assert!(std::fs::read_to_string(folder.path().join("PS-sq-a4.html")).unwrap().contains("Udhëzues"));
}

#[test]
fn a_checklist_with_a_fault_gives_no_guide() {
    let folder = dir::fresh();
    let file = folder.path().join("bad.json");
    std::fs::write(&file, r#"{"prefix": "ps", "title": "T", "questions": []}"#).unwrap();
    let done = run(folder.path(), &file, &[]);
    assert!(!done.status.success() && String::from_utf8_lossy(&done.stderr).contains("bad.json"));
}

/// Measures a page on paper's width: what is wider than what holds it, and questions that no page holds.
const MEASURE: &str = "<script>addEventListener('load', () => {
  const out = [], height = HEIGHT * 96 / 25.4, main = document.querySelector('main');
  for (const e of main.querySelectorAll('*')) {
    if (getComputedStyle(e).display !== 'inline' && e.scrollWidth > e.clientWidth + 2 && e.clientWidth) out.push('wide ' + e.outerHTML.slice(0, 120));
    let holder = e.parentElement; while (getComputedStyle(holder).display === 'contents') holder = holder.parentElement;
    const inner = e.getBoundingClientRect(), outer = holder.getBoundingClientRect();
    if (inner.width && (inner.right > outer.right + 2 || inner.left < outer.left - 2) && !e.closest('ol')) out.push('outside ' + e.outerHTML.slice(0, 120));
  }
  for (const q of main.querySelectorAll('.q, .after, .example, header')) if (q.getBoundingClientRect().height > height) out.push('high ' + q.id);
  document.title = 'measured ' + main.querySelectorAll('.q').length + ' ' + JSON.stringify(out.slice(0, 8));
})</script>";

/// Chromium, where there is one.
fn chromium() -> Option<PathBuf> {
    let found = std::env::split_paths(&std::env::var_os("PATH")?).map(|p| p.join("chromium")).find(|p| p.is_file());
    if found.is_none() {
        println!("skipped: chromium is missing");
    }
    found
}

fn browse(chromium: &Path, profile: &Path, args: &[&str]) -> Output {
    Command::new(chromium)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"])
        .args(["--disable-component-update", "--disable-sync", "--window-size=1400,1200"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .args(args)
        .output()
        .unwrap()
}

#[test]
fn in_a_browser_nothing_is_wider_or_higher_than_its_page() {
    let Some(chromium) = chromium() else { return };
    let folder = dir::fresh();
    for file in [long(folder.path()), example("opening.json"), example("incident.json")] {
        let done = run(folder.path(), &file, &["--size", "a4,pocket,a6", "--language", "ar,fr"]);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    let mut pages: Vec<PathBuf> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().path()).collect();
    pages.retain(|p| p.extension().is_some_and(|e| e == "html"));
    assert_eq!(pages.len(), 18);
    for page in pages {
        let name = page.display().to_string();
        let height = if name.contains("-a4") {
            "270"
        } else if name.contains("-a6") {
            "132"
        } else {
            "198"
        };
        let text = std::fs::read_to_string(&page).unwrap();
        let measured = page.with_extension("measured.html");
        std::fs::write(&measured, text.replace("</body>", &format!("{}</body>", MEASURE.replace("HEIGHT", height))))
            .unwrap();
        let profile = folder.path().join("profile");
        let done = browse(&chromium, &profile, &["--dump-dom", &format!("file://{}", measured.display())]);
        let dom = String::from_utf8_lossy(&done.stdout).into_owned();
        let title = dom.split("<title>").nth(1).and_then(|t| t.split("</title>").next()).unwrap_or_default();
        assert!(title.starts_with("measured ") && title.ends_with(" []"), "{name}: {title}");
        assert!(!title.starts_with("measured 0"), "{name}");
    }
}

#[test]
fn the_pdf_is_made_by_a_browser_and_a_missing_one_is_said() {
    let folder = dir::fresh();
    let without = Command::new(PROGRAM)
        .args(["checklist", "guide", "--pdf", "--out"])
        .arg(folder.path())
        .arg(example("opening.json"))
        .env("PATH", "/nowhere")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&without.stderr).into_owned();
    assert!(!without.status.success() && said.contains("no Chromium found") && said.contains("HTML"), "{said}");
    if chromium().is_none() {
        return;
    }
    let done = run(folder.path(), &example("opening.json"), &["--pdf", "--size", "pocket", "--language", "fr"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let pdf = std::fs::read(folder.path().join("PS-fr-pocket.pdf")).unwrap();
    assert!(pdf.starts_with(b"%PDF"));
}
