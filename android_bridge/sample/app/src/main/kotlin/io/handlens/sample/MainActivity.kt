package io.handlens.sample

import android.Manifest
import android.app.AlertDialog
import android.os.Bundle
import android.view.ViewGroup.LayoutParams.MATCH_PARENT
import android.view.ViewGroup.LayoutParams.WRAP_CONTENT
import android.widget.Button
import android.widget.EditText
import android.widget.FrameLayout
import android.widget.LinearLayout
import android.widget.TextView
import androidx.activity.ComponentActivity
import androidx.activity.result.contract.ActivityResultContracts
import androidx.camera.core.CameraSelector
import androidx.camera.core.ImageAnalysis
import androidx.camera.core.Preview
import androidx.camera.lifecycle.ProcessCameraProvider
import androidx.camera.view.PreviewView
import androidx.core.content.ContextCompat
import androidx.lifecycle.lifecycleScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import java.util.concurrent.Executors

/** One screen: the front camera with boxes around faces, a name, and three buttons. */
class MainActivity : ComponentActivity() {
    private val camera = Executors.newSingleThreadExecutor()
    private lateinit var preview: PreviewView
    private lateinit var boxes: BoxesView
    private lateinit var name: EditText
    private lateinit var line: TextView
    @Volatile private var models: Models? = null
    private var working: Job? = null

    private val permission = registerForActivityResult(ActivityResultContracts.RequestPermission()) { granted ->
        if (granted) start() else line.text = "this app looks through the camera; allow it in the settings"
    }

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContentView(screen())
        permission.launch(Manifest.permission.CAMERA)
    }

    override fun onDestroy() {
        // The camera's thread closes the models, after its last frame.
        camera.execute { models?.close() }
        camera.shutdown()
        super.onDestroy()
    }

    private fun start() {
        lifecycleScope.launch {
            line.text = "the models answer their golden vectors"
            val opened = withContext(Dispatchers.Default) { open() }
            val frames = CameraFrames(opened.detector, boxes::show)
            bind(frames)
            val visits = Visits(opened.door, frames) { said -> line.text = said }
            onPress(0) { visits.enrol(it) }
            onPress(1) { visits.verify(it) }
            onPress(2) { visits.forget(it) }
            line.text = "type a name, then enrol"
        }
    }

    /** The models; closed at once where the screen was left while they were loading. */
    private fun open() = Models(applicationContext).also { opened ->
        models = opened
        if (isDestroyed) opened.close()
    }

    private fun bind(frames: CameraFrames) {
        val provider = ProcessCameraProvider.getInstance(this)
        provider.addListener({
            val shown = Preview.Builder().build().also { it.setSurfaceProvider(preview.surfaceProvider) }
            val analysis = ImageAnalysis.Builder()
                .setBackpressureStrategy(ImageAnalysis.STRATEGY_KEEP_ONLY_LATEST)
                .build()
                .also { it.setAnalyzer(camera, frames) }
            provider.get().unbindAll()
            provider.get().bindToLifecycle(this, CameraSelector.DEFAULT_FRONT_CAMERA, shown, analysis)
        }, ContextCompat.getMainExecutor(this))
    }

    /** A press of a button does its work, unless another's is still under way. */
    private fun onPress(button: Int, work: suspend (String) -> String) {
        buttons[button].setOnClickListener {
            if (working?.isActive == true) return@setOnClickListener
            if (button == 0) consent { run(work) } else run(work)
        }
    }

    private fun run(work: suspend (String) -> String) {
        working = lifecycleScope.launch { line.text = work(name.text.toString()) }
    }

    /** Nobody is enrolled without having been asked. */
    private fun consent(agreed: () -> Unit) {
        AlertDialog.Builder(this)
            .setMessage(
                "Templates of this face are kept on this phone, encrypted, until they are forgotten. A photograph held up " +
                    "to the camera counts as a face. Does the person before the camera agree?",
            )
            .setPositiveButton("yes") { _, _ -> agreed() }
            .setNegativeButton("no", null)
            .show()
    }

    private val buttons by lazy { listOf("enrol", "verify", "forget").map { Button(this).apply { text = it } } }

    private fun screen(): LinearLayout {
        preview = PreviewView(this).apply { scaleType = PreviewView.ScaleType.FIT_CENTER }
        boxes = BoxesView(this)
        name = EditText(this).apply { hint = "name" }
        line = TextView(this)
        val picture = FrameLayout(this).apply {
            addView(preview, MATCH_PARENT, MATCH_PARENT)
            addView(boxes, MATCH_PARENT, MATCH_PARENT)
        }
        val row = LinearLayout(this)
        buttons.forEach { row.addView(it, LinearLayout.LayoutParams(0, WRAP_CONTENT, 1f)) }
        return LinearLayout(this).apply {
            orientation = LinearLayout.VERTICAL
            addView(picture, LinearLayout.LayoutParams(MATCH_PARENT, 0, 1f))
            listOf(line, name, row).forEach { addView(it, MATCH_PARENT, WRAP_CONTENT) }
        }
    }
}
