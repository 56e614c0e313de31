//! Keys of an archived election's figures. An area is named by its code, the whole country by nothing.

/// [`super::Frame`].
pub fn frame() -> String {
    "frame".to_owned()
}

/// [`super::AreaFrame`].
pub fn area(code: &str) -> String {
    format!("area/{code}")
}

/// [`crate::store::pages::overview::Overview`].
pub fn overview(area: &str) -> String {
    format!("overview/{area}")
}

/// [`crate::store::pages::question::Questions`].
pub fn questions(prefix: &str, area: &str) -> String {
    format!("questions/{prefix}/{area}")
}

/// [`crate::store::pages::question::ByArea`].
pub fn by_area(prefix: &str, code: &str, area: &str) -> String {
    format!("by_area/{prefix}/{code}/{area}")
}

/// A checklist's definition, by PostgreSQL's key: a submission is shown with the version that it was made by.
pub fn checklist(id: i32) -> String {
    format!("checklist/{id}")
}

/// The newest version of each checklist, in full.
pub fn definitions() -> String {
    "definitions".to_owned()
}

/// [`crate::store::pages::incidents::Counts`].
pub fn incidents(area: &str) -> String {
    format!("incidents/{area}")
}
