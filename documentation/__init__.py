"""Programs that make the drawings, tables and site of docs/ from the code."""
