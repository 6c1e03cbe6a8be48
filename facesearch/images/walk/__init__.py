"""What a folder holds besides photos: kinds of files, folders to leave out, files that are one."""
