-- A person who passed a gate against its direction crossed a line, and is not part of the headcount.

ALTER TABLE crossings
    ADD COLUMN IF NOT EXISTS counted  Bool DEFAULT true;
