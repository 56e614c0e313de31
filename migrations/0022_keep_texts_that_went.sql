-- The text as it went, so that a reply that is stored anew says it. NULL: of a gateway of an earlier version.
ALTER TABLE early_result ADD COLUMN text text;
