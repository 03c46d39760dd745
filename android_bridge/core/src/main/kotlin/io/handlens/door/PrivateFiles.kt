package io.handlens.door

import io.handlens.StoreError
import java.io.File
import java.io.FileOutputStream
import java.io.IOException
import java.io.RandomAccessFile

/** A file's bytes; null where there is none. */
internal fun readWhole(file: File): ByteArray? {
    if (!file.exists()) return null
    if (!file.isFile) throw StoreError("$file is no plain file; put the real one there")
    return file.readBytes()
}

/** Writes a file that its owner alone can read, atomically: beside it, flushed, then renamed. */
internal fun writeWhole(file: File, data: ByteArray) {
    val beside = File.createTempFile(".${file.name.take(64)}.", ".tmp", file.absoluteFile.parentFile)
    try {
        ownersAlone(beside)
        FileOutputStream(beside).use { stream ->
            stream.write(data)
            stream.fd.sync()
        }
        if (!beside.renameTo(file)) throw IOException("$file cannot be replaced")
    } finally {
        beside.delete() // gone already where all went well
    }
}

/** As [writeWhole]; then zeros go over the bytes of the file that was replaced. */
internal fun replaceAndErase(file: File, data: ByteArray) {
    val old = if (file.exists()) RandomAccessFile(file, "rwd") else null
    old.use {
        writeWhole(file, data)
        old?.write(ByteArray(old.length().toInt()))
    }
}

/** Takes a file's or folder's rights from everybody but its owner. */
internal fun ownersAlone(file: File) {
    file.setReadable(false, false)
    file.setWritable(false, false)
    file.setReadable(true, true)
    file.setWritable(true, true)
    if (file.isDirectory) {
        file.setExecutable(false, false)
        file.setExecutable(true, true)
    }
}
