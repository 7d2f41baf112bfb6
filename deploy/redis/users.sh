#!/bin/sh
# Prints the users for a server (its `aclfile`), made from users.acl beside this script and from passwords.
#
#   users.sh FOLDER > /etc/valkey/users.acl
#
# FOLDER has a file for each user's password: admin, penstock-api, penstock-worker, penstock-doctor. A file's last line
# break is no part of it. Only digests of them are printed. A password of 32 random bytes:
#   head -c 32 /dev/urandom | base64 | tr -d '/+=\n' > FOLDER/admin
set -eu
folder=${1:?usage: users.sh FOLDER}
template=$(dirname "$0")/users.acl

digest() {
  [ -s "$folder/$1" ] || { echo "users.sh: $folder/$1 has no password" >&2; exit 1; }
  printf %s "$(cat "$folder/$1")" | sha256sum | cut -c 1-64
}

admin=$(digest admin)
api=$(digest penstock-api)
worker=$(digest penstock-worker)
doctor=$(digest penstock-doctor)
sed -e '/^#/d' -e '/^$/d' -e ':join' -e '/\\$/N' -e 's/ *\\\n */ /' -e 't join' \
  -e "s/{admin}/$admin/" -e "s/{penstock-api}/$api/" -e "s/{penstock-worker}/$worker/" -e "s/{penstock-doctor}/$doctor/" \
  "$template"
