"""What results look like: tables, plots, pages. Reports show; they do not simulate."""
