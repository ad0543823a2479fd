-- Images are looked for in the sessions of cells that shall run another software.
CREATE INDEX file_firmware ON file (id) WHERE kind = 'firmware';
