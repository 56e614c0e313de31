//! Drawings: SVG made here, without script or inline style (the page's policy forbids both). Colours
//! come from the style sheet by class, so that they follow the reader's colour scheme.

pub(super) mod bar;
pub(super) mod growth;
pub(super) mod spread;
pub(super) mod strip;
