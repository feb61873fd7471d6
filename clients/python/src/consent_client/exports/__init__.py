"""What a record or a certificate says, in the words of others: docs/exports.md.

Pure functions over statements and certificates, base install only. A vocabulary that has no word
for something gets none: what an export leaves out is written in docs/exports.md, and where nothing
is left `NothingToExport` is raised. No export is a licence, none is checked by anybody for being
true, and none reaches further than where it is put: the registry works without them.
"""
