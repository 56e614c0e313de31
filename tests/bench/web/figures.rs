//! The table that a measurement ends with: what, how much, what is aimed at.

/// What was measured.
#[derive(Debug, Default)]
pub struct Figures {
    rows: Vec<[String; 4]>,
}

impl Figures {
    /// A figure with an aim; `reached` says whether it is there.
    pub fn aimed(&mut self, what: &str, figure: String, aim: &str, reached: bool) {
        self.row(what, figure, aim, if reached { "reached" } else { "MISSED" });
    }

    /// A figure without one.
    pub fn plain(&mut self, what: &str, figure: String) {
        self.row(what, figure, "", "");
    }

    /// What could not be measured, and why.
    pub fn skipped(&mut self, what: &str, why: &str) {
        self.row(what, format!("skipped: {why}"), "", "");
    }

    fn row(&mut self, what: &str, figure: String, aim: &str, reached: &str) {
        eprintln!("{what}: {figure} {reached}");
        self.rows.push([what.to_owned(), figure, aim.to_owned(), reached.to_owned()]);
    }

    /// The table, in the form that README has.
    pub fn print(&self) {
        println!("| web, at its cap of 64 MiB | measured | aim | |\n|---|---|---|---|");
        for [what, figure, aim, reached] in &self.rows {
            println!("| {what} | {figure} | {aim} | {reached} |");
        }
    }
}
