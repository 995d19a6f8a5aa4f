# Canonical JSON of TUF: fields sorted by code point, nothing escaped but " and \.
def text: "\"" + (split("\\") | join("\\\\") | split("\"") | join("\\\"")) + "\"";

def canonical:
  if type == "object" then
    "{" + (to_entries | sort_by(.key) | map((.key | text) + ":" + (.value | canonical)) | join(",")) + "}"
  elif type == "array" then "[" + (map(canonical) | join(",")) + "]"
  elif type == "string" then text
  else tojson
  end;
